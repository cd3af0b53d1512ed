"""Cells that live: what moves, what rests, and how far."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from napari_mitostain.config import MotionSettings, SimulationSettings
from napari_mitostain.errors import SettingsError
from napari_mitostain.simulation import SimulatedPair, simulate_pair
from napari_mitostain.simulation.cell import Cell
from napari_mitostain.simulation.motion import live
from napari_mitostain.simulation.organelles import STEP_UM, Beads

LAPSE = SimulationSettings(shape=(96, 96), times=5, randomise=0, scaling="stack")
STILL = MotionSettings(
    **{name.name: 0 for name in fields(MotionSettings) if name.name not in ("flow_um", "persistence_s")}
)
QUIET = replace(LAPSE.microscope, brightfield_electrons=1e6, fluorescence_electrons=1e6, row_noise=0)


@pytest.fixture(scope="module")
def lapse() -> SimulatedPair:
    return simulate_pair(LAPSE, 17)


def moments(cell: Cell, motion: MotionSettings = MotionSettings(), times: int = 4, seed: int = 1) -> list[Cell]:
    return list(live(cell, motion, times, 5.0, np.random.default_rng(seed)))


def balls(beads: Beads) -> np.ndarray:
    return np.concatenate(beads.centres)


def likeness(frames: np.ndarray, first: int, second: int) -> float:
    return float(np.corrcoef(frames[first].ravel(), frames[second].ravel())[0, 1])


def test_a_time_lapse_has_an_axis_of_times_first(lapse):
    assert lapse.brightfield.shape == lapse.mitochondria.shape == (5, 1, 96, 96)
    deep = simulate_pair(replace(LAPSE, times=2, planes=3, shape=(16, 16)), 1)
    assert deep.brightfield.shape == (2, 3, 16, 16)


def test_neighbouring_frames_are_more_alike_than_distant_ones(lapse):
    for frames in (lapse.brightfield, lapse.mitochondria):
        near = [likeness(frames, n, n + 1) for n in range(4)]
        assert max(near) < 0.999
        assert min(near) > likeness(frames, 0, 4) + 0.05


def test_same_seed_same_time_lapse(lapse):
    again, other = simulate_pair(LAPSE, 17), simulate_pair(LAPSE, 18)
    np.testing.assert_array_equal(again.brightfield, lapse.brightfield)
    np.testing.assert_array_equal(again.mitochondria, lapse.mitochondria)
    assert (other.mitochondria != lapse.mitochondria).mean() > 0.5


def test_a_time_lapse_begins_with_the_pair_of_its_seed():
    quiet = replace(LAPSE, shape=(64, 64), microscope=QUIET, motion=STILL)
    single, lapse = simulate_pair(replace(quiet, times=1), 17), simulate_pair(replace(quiet, times=2), 17)
    for kind in ("brightfield", "mitochondria"):
        off = getattr(lapse, kind)[0].astype(int) - getattr(single, kind)
        assert np.abs(off).max() <= 2  # grey levels of 255: noise of 1000 in 1 000 000 electrons


def test_what_does_not_move_gets_noise_anew_and_bleaches():
    frames = simulate_pair(replace(LAPSE, motion=replace(STILL, bleaching=0.2)), 17)
    assert 0.7 < likeness(frames.brightfield, 0, 1) < 0.99
    left = [np.percentile(frame, 99) - np.percentile(frame, 1) for frame in frames.mitochondria]
    np.testing.assert_allclose(np.divide(left[1:], left[:-1]), 0.8, atol=0.04)


def test_body_and_nucleus_rest_while_organelles_move(cell):
    first, *later = moments(cell)
    assert first is cell
    for moment in later:
        assert moment.body is cell.body
        assert moment.resting is cell.resting
        assert moment.debris is cell.debris
    assert (balls(later[0].vesicles) != balls(cell.vesicles)).any(axis=1).mean() > 0.8


def test_cells_that_stand_still_do(cell):
    moved = moments(cell, STILL)[-1]
    np.testing.assert_array_equal(balls(moved.vesicles), balls(cell.vesicles))
    assert len(moved.mitochondria.centres) == len(cell.mitochondria.centres)
    for before, after in zip(cell.mitochondria.centres, moved.mitochondria.centres, strict=True):
        assert np.linalg.norm(after - before, axis=1).max() < 0.1  # heights of a step are stretched out


def test_all_stays_within_cells_and_outside_nuclei(cell):
    last = moments(cell, times=8)[-1]
    for beads in (last.mitochondria, last.vesicles, last.droplets):
        started = balls(beads)
        assert cell.body.is_free(started, cell.grid).mean() > 0.98  # bridges may touch a border


def test_speeds_are_those_asked_for(cell):
    alone = replace(STILL, granules_um2_s=0.002)
    before, after = moments(cell, alone, times=2)
    moved = balls(after.vesicles) - balls(before.vesicles)
    moved = moved[moved.any(axis=1)]
    per_axis = 2 * 0.002 * 5 * (0.2 / before.vesicles.radii[0]).mean()
    assert np.square(moved[:, 1:]).mean() == pytest.approx(per_axis, rel=0.3)
    flowing = moments(cell, replace(STILL, flow_um_s=0.03), times=2)
    steps = np.linalg.norm(balls(flowing[1].mitochondria) - balls(flowing[0].mitochondria), axis=1)
    assert 0.05 < np.sqrt(np.square(steps).mean()) < 0.03 * 5 * 1.3


def test_mitochondria_keep_their_length_while_they_bend(cell):
    motion = replace(MotionSettings(), divisions_per_min=0, fusions_per_min=0)
    before, *_, after = moments(cell, motion, times=8)
    longest = int(np.argmax([len(path) for path in before.mitochondria.centres]))
    old, new = (moment.mitochondria.centres[longest] for moment in (before, after))
    steps = np.linalg.norm(np.diff(new, axis=0), axis=1)
    assert np.median(steps) == pytest.approx(STEP_UM, rel=0.05)
    bent = np.linalg.norm(new - new.mean(axis=0) - (old - old.mean(axis=0)), axis=1)
    assert bent.max() > 0.1


def test_mitochondria_divide_and_fuse(cell):
    divided = moments(cell, replace(STILL, divisions_per_min=6), times=2)
    assert len(divided[1].mitochondria.centres) > len(cell.mitochondria.centres)
    assert len(balls(divided[1].mitochondria)) < len(balls(cell.mitochondria))
    fused = moments(cell, replace(STILL, fusions_per_min=6), times=2)
    assert len(balls(fused[1].mitochondria)) > len(balls(cell.mitochondria))


def test_same_seed_same_life(cell):
    first, again, other = (moments(cell, seed=seed)[-1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(balls(first.mitochondria), balls(again.mitochondria))
    assert not np.array_equal(balls(first.vesicles), balls(other.vesicles))


def test_long_intervals_move_further(cell):
    ends = [list(live(cell, MotionSettings(), 2, seconds, np.random.default_rng(1)))[-1] for seconds in (1, 5, 30)]
    far = [np.linalg.norm(balls(end.vesicles) - balls(cell.vesicles), axis=1).mean() for end in ends]
    assert all(near < later for near, later in pairwise(far))


def test_a_field_without_cells_stays_empty():
    nobody = replace(LAPSE, times=2, shape=(32, 32), cell=replace(LAPSE.cell, empty=1, debris=0))
    assert simulate_pair(nobody, 1).mitochondria.max() < 25


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (lambda: SimulationSettings(times=0), "times"),
        (lambda: SimulationSettings(times=6, planes=200), "times"),
        (lambda: SimulationSettings(interval_s=0), "interval"),
        (lambda: SimulationSettings(motion=3), "motion"),
        (lambda: MotionSettings(bleaching=2), "bleaching"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(settings, words):
    with pytest.raises(SettingsError, match=rf"^Expected .*{words}.*, got .*; .*\.$"):
        settings()
