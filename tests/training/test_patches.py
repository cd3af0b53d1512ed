"""Patches: the same by seed and epoch, aligned, only where there are mitochondria, and cheap to read."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings, TrainSettings
from napari_mitostain.image import Stack
from napari_mitostain.training.pair import Frames, Pair, bytes_of, pair_of_arrays
from napari_mitostain.training.patches import batches_of_epoch, steps_per_epoch
from napari_mitostain.training.stacks import stack_pairs

SETTINGS = TrainSettings(epochs=1, patch=16, depth=2, crops_per_frame=5, batch_size=3, minimum_area=0)
PLAIN = replace(SETTINGS, turns=False, intensity=False)


def pair_of(target: NDArray[Any], brightfield: NDArray[Any] | None = None, name: str = "p") -> Pair:
    target = target.astype(np.float32)
    return pair_of_arrays(name, "a", target if brightfield is None else brightfield.astype(np.float32), target)


@pytest.fixture
def pairs() -> list[Pair]:
    random = np.random.default_rng(0)
    return [pair_of(random.random((40, 33)), random.random((40, 33)), f"p{number}") for number in range(2)]


def epoch_of(pairs: list[Pair], settings: TrainSettings, epoch: int = 0, frames: Frames | None = None) -> torch.Tensor:
    batches = batches_of_epoch(pairs, settings, epoch, frames or Frames())
    return torch.cat([torch.cat([batch.brightfield, batch.target], dim=1) for batch in batches])


def corners_of(pair: Pair, settings: TrainSettings) -> list[tuple[int, int]]:
    """Find where crops were cut, by a brightfield that numbers the pixels."""
    height, width = pair.shape
    numbered = pair_of(pair.read().target, np.arange(height * width).reshape(pair.shape))
    firsts = epoch_of([numbered], replace(settings, turns=False, intensity=False))[:, 0, 0, 0]
    return [divmod(int(first), width) for first in firsts]


def test_batches_have_the_shape_of_the_settings_and_as_many_as_are_counted(pairs: list[Pair]) -> None:
    batches = list(batches_of_epoch(pairs, SETTINGS, 0, Frames()))
    parts = [part for batch in batches for part in (batch.brightfield, batch.target)]
    assert [tuple(part.shape) for part in parts] == [(3, 1, 16, 16)] * 6 + [(1, 1, 16, 16)] * 2
    assert len(batches) == steps_per_epoch(pairs, SETTINGS) == 4
    assert [batch.number for batch in batches] == [0, 1, 2, 3]
    assert {part.dtype for part in parts} == {torch.float32}


def test_seed_and_epoch_determine_the_batches(pairs: list[Pair]) -> None:
    first = epoch_of(pairs, SETTINGS, 3)
    assert torch.equal(first, epoch_of(pairs, SETTINGS, 3))
    assert not torch.equal(first, epoch_of(pairs, SETTINGS, 4))
    assert not torch.equal(first, epoch_of(pairs, replace(SETTINGS, seed=1), 3))


@pytest.mark.parametrize("kept", [1, 3, 100])
def test_epoch_goes_on_anywhere_whatever_was_kept_in_memory(kept: int) -> None:
    random = np.random.default_rng(0)
    pairs = [pair_of(random.random((20, 20)), name=f"{number}") for number in range(7)]
    memory = kept * bytes_of(pairs[0])
    whole = list(batches_of_epoch(pairs, SETTINGS, 1, Frames(memory)))
    for first in (1, 5, len(whole) - 1):
        rest = list(batches_of_epoch(pairs, SETTINGS, 1, Frames(memory), first))
        assert [batch.number for batch in rest] == [batch.number for batch in whole[first:]]
        assert all(torch.equal(a.target, b.target) for a, b in zip(rest, whole[first:], strict=True))


def test_batches_do_not_depend_on_or_change_the_global_random_state(pairs: list[Pair]) -> None:
    first = epoch_of(pairs, SETTINGS)
    np.random.seed(5)  # noqa: NPY002 - the state that must not matter
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(first, epoch_of(pairs, SETTINGS))
    assert torch.equal(state, torch.get_rng_state())


def test_both_parts_of_a_patch_are_turned_and_flipped_alike() -> None:
    # Brightfield noise has at most σ = 0.15, contrast is a factor: a ramp from -50 to 50 stays almost proportional.
    ramp = np.arange(40 * 33).reshape(40, 33)
    pair = pair_of(ramp / ramp.max(), 100 * (ramp / ramp.max() - 0.5))
    steps = set()
    for brightfield, target in epoch_of([pair], replace(SETTINGS, crops_per_frame=40)).numpy():
        assert np.corrcoef(brightfield.ravel(), target.ravel())[0, 1] > 0.99
        steps.add(
            (
                int(np.sign(target[1, 0] - target[0, 0])),
                int(np.sign(target[0, 1] - target[0, 0])),
                abs(target[1, 0] - target[0, 0]) > abs(target[0, 1] - target[0, 0]),
            )
        )
    assert len(steps) == 8  # all turns and mirror images of a square


def test_without_augmentation_patches_are_parts_of_the_images(pairs: list[Pair]) -> None:
    for brightfield, target in epoch_of(pairs, PLAIN).numpy():
        found = [np.argwhere(pair.read().target == target[0, 0]) for pair in pairs]
        ((number, (row, column)),) = [(number, at[0]) for number, at in enumerate(found) if len(at)]
        box = slice(row, row + 16), slice(column, column + 16)
        np.testing.assert_array_equal(target, pairs[number].read().target[box])
        np.testing.assert_array_equal(brightfield, pairs[number].read().brightfield[box])


def test_targets_are_cut_but_not_altered(pairs: list[Pair]) -> None:
    values = np.concatenate([pair.read().target.ravel() for pair in pairs])
    assert np.isin(epoch_of(pairs, SETTINGS)[:, 1].numpy(), values).all()


def test_crops_lie_in_their_frames_and_reach_their_edges() -> None:
    pair = pair_of(np.random.default_rng(0).random((20, 18)))
    corners = corners_of(pair, replace(SETTINGS, crops_per_frame=200))
    assert {row for row, _ in corners} == set(range(5))
    assert {column for _, column in corners} == set(range(3))


def test_crops_without_enough_mitochondria_are_dropped() -> None:
    target = np.zeros((64, 64))
    target[:, 40:] = 1  # above mean + 1 standard deviation of the frame: 0.375 + 0.484 < 1
    corners = corners_of(pair_of(target), replace(SETTINGS, crops_per_frame=50, minimum_area=0.5))
    assert len(corners) == 50
    # half of 16 columns from 40 on: a crop has to start at 32 or later
    assert min(column for _, column in corners) == 32


def test_the_one_place_with_enough_mitochondria_is_found() -> None:
    target = np.zeros((200, 200))
    target[101:117, 57:73] = 1
    corners = corners_of(pair_of(target), replace(SETTINGS, minimum_area=1.0))
    assert corners == [(101, 57)] * 5


def test_rare_places_are_all_as_likely() -> None:
    target = np.zeros((200, 200))
    target[100:117, 50:66] = 1  # two rows to start from, two of 34225 places
    corners = corners_of(pair_of(target), replace(SETTINGS, crops_per_frame=400, minimum_area=1.0))
    counts = Counter(corners)
    assert set(counts) == {(100, 50), (101, 50)}
    assert abs(counts[100, 50] - 200) < 5 * 10  # five standard deviations of a fair coin thrown 400 times


def test_area_is_measured_by_the_statistics_of_the_whole_frame() -> None:
    target = np.full((64, 64), 0.1)
    target[:20, :20] = 1
    # Brighter than the frame's mean of 0.22, but not by its standard deviation of 0.26; bright in crops of its edge.
    target[40:, 40:] = 0.3
    for row, column in corners_of(pair_of(target), replace(SETTINGS, crops_per_frame=10, minimum_area=0.1)):
        assert row < 20
        assert column < 20


def test_frame_of_the_size_of_a_patch_is_taken_as_it_is() -> None:
    pairs = [pair_of(np.full((16, 16), number), name=f"{number}") for number in range(3)]
    settings = replace(PLAIN, minimum_area=0.9)
    assert sorted(epoch_of(pairs, settings)[:, 1, 0, 0].tolist()) == [0, 1, 2]
    assert steps_per_epoch(pairs, settings) == 1


def test_frame_without_any_place_gives_no_crop(pairs: list[Pair]) -> None:
    sparse = pair_of(np.eye(40), name="sparse")
    settings = replace(SETTINGS, minimum_area=0.1)
    assert list(batches_of_epoch([sparse], settings, 0, Frames())) == []
    assert len(epoch_of([sparse, *pairs], settings)) == 10


class Movie:
    """Planes of 20 GB in all, made when they are asked for, that count what they are asked for."""

    def __init__(self, planes: int, side: int) -> None:
        self.shape, self.dtype = (planes, side, side), np.dtype(np.uint8)
        self.read = Counter[int]()

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        self.read[key[0]] += 1
        plane = np.full(self.shape[1:], key[0] % 200, np.uint8)
        plane[::3, ::2] = 250
        return plane


def test_each_frame_of_a_movie_larger_than_memory_is_read_once_in_an_epoch() -> None:
    brightfield, fluorescence = Movie(60, 64), Movie(60, 64)
    pairs = stack_pairs(Stack(brightfield, "TYX"), Stack(fluorescence, "TYX"), "m", "m", ScalingSettings())
    settings = replace(SETTINGS, crops_per_frame=25, batch_size=4)
    frames = Frames(8 * bytes_of(pairs[0]))
    patches = epoch_of(pairs, settings, frames=frames)
    assert len(patches) == 60 * 25
    assert set(brightfield.read.values()) == set(fluorescence.read.values()) == {1}
    order = [round(float(patch.min()) * 255) for patch in patches[:, 1]]
    assert len({*order[:100]}) == 4  # half of the memory is a group, whose frames are mixed
    assert order[:25] != sorted(order[:25])
    assert order != [round(float(patch.min()) * 255) for patch in epoch_of(pairs, settings, 1, frames)[:, 1]]


def test_pairs_that_fit_into_memory_are_mixed_freely() -> None:
    pairs = [pair_of(np.full((20, 20), number), name=f"{number}") for number in range(40)]
    order = epoch_of(pairs, replace(PLAIN, crops_per_frame=25))[:, 1, 0, 0].tolist()
    assert len({*order[:100]}) > 30


def test_patches_of_a_movie_of_20_gigabytes_need_little_memory() -> None:
    movie = Movie(20_000, 1024)
    pairs = stack_pairs(Stack(movie, "TYX"), Stack(movie, "TYX"), "m", "m")
    frames = Frames(64 * 2**20)
    settings = replace(SETTINGS, patch=256, crops_per_frame=2, batch_size=4)
    tracemalloc.start()
    try:
        batches = batches_of_epoch(pairs, settings, 0, frames)
        for _ in range(12):
            next(batches)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(movie.read.values()) <= 2 * 24
    # 64 MiB are kept; a plane of 2²⁰ pixels that is read and scaled takes some float64 and float32 copies, 8 MiB or
    # less each, and an epoch's order of 40 000 numbers a few MiB
    assert most < (64 + 100) * 2**20
