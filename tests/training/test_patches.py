"""Patches: the same by seed and epoch, aligned, and only where there are mitochondria."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.training.pairs import Pair
from napari_mitostain.training.patches import batches_of_epoch, crops_of_epoch, steps_per_epoch

SETTINGS = TrainSettings(epochs=1, patch=16, depth=2, crops_per_frame=5, batch_size=3, minimum_area=0)


def pair_of(target: np.ndarray, brightfield: np.ndarray | None = None) -> Pair:
    target = target.astype(np.float32)
    return Pair("p", "a", target if brightfield is None else brightfield.astype(np.float32), target)


@pytest.fixture
def frames() -> list[Pair]:
    random = np.random.default_rng(0)
    return [pair_of(random.random((40, 33)), random.random((40, 33))) for _ in range(2)]


def epoch_of(frames: list[Pair], settings: TrainSettings, epoch: int) -> torch.Tensor:
    batches = batches_of_epoch(frames, settings, epoch)
    return torch.cat([torch.cat([batch.brightfield, batch.target], dim=1) for batch in batches])


def test_batches_have_the_shape_of_the_settings_and_as_many_as_are_counted(frames: list[Pair]) -> None:
    batches = list(batches_of_epoch(frames, SETTINGS, 0))
    parts = [part for batch in batches for part in (batch.brightfield, batch.target)]
    assert [tuple(part.shape) for part in parts] == [(3, 1, 16, 16)] * 6 + [(1, 1, 16, 16)] * 2
    assert len(batches) == steps_per_epoch(frames, SETTINGS) == 4
    assert {part.dtype for part in parts} == {torch.float32}


def test_seed_and_epoch_determine_the_batches(frames: list[Pair]) -> None:
    first = epoch_of(frames, SETTINGS, 3)
    assert torch.equal(first, epoch_of(frames, SETTINGS, 3))
    assert not torch.equal(first, epoch_of(frames, SETTINGS, 4))
    assert not torch.equal(first, epoch_of(frames, replace(SETTINGS, seed=1), 3))


def test_batches_do_not_depend_on_or_change_the_global_random_state(frames: list[Pair]) -> None:
    first = epoch_of(frames, SETTINGS, 0)
    np.random.seed(5)  # noqa: NPY002 - the state that must not matter
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(first, epoch_of(frames, SETTINGS, 0))
    assert torch.equal(state, torch.get_rng_state())


def test_both_parts_of_a_patch_are_turned_and_flipped_alike() -> None:
    # Brightfield noise has at most σ = 0.15, contrast is a factor: a ramp from -50 to 50 stays almost proportional.
    ramp = np.arange(40 * 33).reshape(40, 33)
    frame = pair_of(ramp / ramp.max(), 100 * (ramp / ramp.max() - 0.5))
    several = replace(SETTINGS, crops_per_frame=40)
    steps = set()
    for brightfield, target in epoch_of([frame], several, 0).numpy():
        assert np.corrcoef(brightfield.ravel(), target.ravel())[0, 1] > 0.99
        steps.add(
            (
                int(np.sign(target[1, 0] - target[0, 0])),
                int(np.sign(target[0, 1] - target[0, 0])),
                abs(target[1, 0] - target[0, 0]) > abs(target[0, 1] - target[0, 0]),
            )
        )
    assert len(steps) == 8  # all turns and mirror images of a square


def test_targets_are_cut_but_not_altered(frames: list[Pair]) -> None:
    values = np.concatenate([frame.target.ravel() for frame in frames])
    assert np.isin(epoch_of(frames, SETTINGS, 0)[:, 1].numpy(), values).all()


def test_crops_lie_in_their_frames_and_reach_their_edges() -> None:
    frame = pair_of(np.random.default_rng(0).random((20, 18)))
    settings = replace(SETTINGS, crops_per_frame=200)
    crops = crops_of_epoch([frame], settings, np.random.default_rng(0))
    assert {row for _, row, _ in crops} == set(range(5))
    assert {column for _, _, column in crops} == set(range(3))


def test_crops_without_enough_mitochondria_are_dropped() -> None:
    target = np.zeros((64, 64))
    target[:, 40:] = 1  # above mean + 1 standard deviation of the frame: 0.375 + 0.484 < 1
    settings = replace(SETTINGS, crops_per_frame=50, minimum_area=0.5)
    crops = crops_of_epoch([pair_of(target)], settings, np.random.default_rng(0))
    assert len(crops) == 50
    # half of 16 columns from 40 on: a crop has to start at 32 or later
    assert min(column for _, _, column in crops) == 32


def test_area_is_measured_by_the_statistics_of_the_whole_frame() -> None:
    target = np.full((64, 64), 0.1)
    target[:20, :20] = 1
    # Brighter than the frame's mean of 0.22, but not by its standard deviation of 0.26; bright in crops of its edge.
    target[40:, 40:] = 0.3
    settings = replace(SETTINGS, crops_per_frame=10, minimum_area=0.1)
    for _, row, column in crops_of_epoch([pair_of(target)], settings, np.random.default_rng(0)):
        assert row < 20
        assert column < 20


def test_frame_of_the_size_of_a_patch_is_taken_as_it_is() -> None:
    frames = [pair_of(np.zeros((16, 16)))] * 3
    settings = replace(SETTINGS, minimum_area=0.9)
    assert sorted(crops_of_epoch(frames, settings, np.random.default_rng(0))) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert steps_per_epoch(frames, settings) == 1


def test_nothing_to_train_on_is_an_error_and_not_an_empty_epoch() -> None:
    with pytest.raises(TrainingError, match="100%"):
        crops_of_epoch([pair_of(np.eye(40))], replace(SETTINGS, minimum_area=1.0), np.random.default_rng(0))
