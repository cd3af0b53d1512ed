"""Stacks, paired plane by plane: which planes belong together, how they are scaled, how little of them is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.image import Stack, scale_brightfield
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.stacks import shared_boxes, stack_pairs


def numbered(shape: tuple[int, ...], dtype: Any = np.uint16) -> NDArray[Any]:
    """Number the pixels, so that no two planes are the same."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def raw_of(pair: Pair) -> tuple[NDArray[Any], NDArray[Any]]:
    return pair.source.planes()


def test_brightfield_is_scaled_and_eight_bits_keep_their_range() -> None:
    brightfield, target = numbered((20, 24)), numbered((20, 24), np.uint8) // 2
    scaling = ScalingSettings(background_px=6)
    (pair,) = stack_pairs(Stack(brightfield, "YX"), Stack(target, "YX"), "x_t2_z7.tif", "x", scaling)
    assert (pair.name, pair.acquisition, pair.shape, pair.time, pair.depth) == ("x_t2_z7.tif", "x", (20, 24), 2, 7)
    frame = pair.read()
    np.testing.assert_array_equal(frame.brightfield, scale_brightfield(brightfield, scaling))
    np.testing.assert_allclose(frame.target, target / np.float32(255), rtol=1e-6)


def test_planes_of_a_stack_share_one_range_and_know_their_place() -> None:
    target = numbered((3, 16, 16)) + 100
    pairs = stack_pairs(Stack(target, "TYX"), Stack(target, "TYX"), "s.tif", "s")
    assert [(pair.name, pair.time, pair.depth) for pair in pairs] == [
        ("s.tif t0", 0, None),
        ("s.tif t1", 1, None),
        ("s.tif t2", 2, None),
    ]
    targets = np.stack([pair.read().target for pair in pairs])
    assert (targets.min(), targets.max()) == (0, 1)
    assert sum(pair.read().target.min() == 0 for pair in pairs) == 1  # the range is the stack's, not the plane's


def test_planes_of_one_time_and_depth_belong_together_whatever_the_order_of_the_axes() -> None:
    brightfield = numbered((2, 3, 8, 9))
    fluorescence = brightfield.transpose(1, 0, 2, 3)
    pairs = stack_pairs(Stack(brightfield, "TZYX"), Stack(fluorescence, "ZTYX"), "s", "s")
    assert [(pair.time, pair.depth) for pair in pairs] == [(t, z) for t in range(2) for z in range(3)]
    for pair in pairs:
        np.testing.assert_array_equal(*raw_of(pair))


def test_axes_of_length_one_do_not_count() -> None:
    image = numbered((4, 8, 9))
    pairs = stack_pairs(Stack(image[:, None], "TZYX"), Stack(image, "TYX"), "s", "s")
    for pair in pairs:
        np.testing.assert_array_equal(*raw_of(pair))
    assert [pair.time for pair in pairs] == [0, 1, 2, 3]


def test_time_that_the_other_calls_depth_is_paired_in_order() -> None:
    image = numbered((4, 8, 9))
    for pair in stack_pairs(Stack(image, "ZYX"), Stack(image, "TYX"), "s", "s"):
        np.testing.assert_array_equal(*raw_of(pair))


def test_channels_are_chosen() -> None:
    both = numbered((2, 5, 8, 9))
    stack = Stack(both, "CTYX")
    pairs = stack_pairs(stack, stack, "s", "s", channels=(1, None))
    assert len(pairs) == 5
    np.testing.assert_array_equal(raw_of(pairs[3])[0], both[1, 3])
    np.testing.assert_array_equal(raw_of(pairs[3])[1], both[0, 3])
    with pytest.raises(ImageError, match="channel from 0 to 1"):
        stack_pairs(stack, stack, "s", "s", channels=(0, 2))


@pytest.mark.parametrize(
    ("shapes", "axes", "said"),
    [
        (((32, 32), (32, 31)), ("YX", "YX"), "pairs of one size"),
        (((32, 32), (2, 32, 32)), ("YX", "ZYX"), "pairs of one size, got 32×32 for the brightfield and 2×32×32"),
        (((3, 4, 8, 8), (12, 8, 8)), ("TZYX", "TYX"), "the same axes"),
        (((3, 4, 8, 8), (4, 3, 8, 8)), ("TZYX", "TZYX"), "the same axes"),
    ],
)
def test_stacks_that_do_not_fit(shapes: Any, axes: tuple[str, str], said: str) -> None:
    stacks = [Stack(np.zeros(shape, np.uint8), letters) for shape, letters in zip(shapes, axes, strict=True)]
    with pytest.raises(ImageError, match=said):
        stack_pairs(*stacks, "odd.tif", "odd")


@pytest.mark.parametrize("shift", [(0, 0), (7, -5), (-3, 2), (4, 4), (-6, -1)])
def test_shift_brings_what_was_moved_back_into_line(shift: tuple[int, int]) -> None:
    """The fluorescence shows the brightfield's place `shift` too early; what both show is left."""
    image = np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)
    brightfield = image[10:40, 10:50]
    fluorescence = image[10 + shift[0] :, 10 + shift[1] :][:30, :40]
    (pair,) = stack_pairs(Stack(brightfield, "YX"), Stack(fluorescence, "YX"), "s", "s", shift=shift)
    frame = pair.read()
    assert frame.target.shape == frame.brightfield.shape == pair.shape == (30 - abs(shift[0]), 40 - abs(shift[1]))
    fixed, _ = shared_boxes((30, 40), shift)
    np.testing.assert_allclose(frame.target, brightfield[fixed] / np.float32(255), rtol=1e-6)
    np.testing.assert_array_equal(frame.brightfield, scale_brightfield(brightfield)[fixed])


def test_shift_that_leaves_nothing_is_refused() -> None:
    stack = Stack(np.zeros((8, 9), np.uint8), "YX")
    with pytest.raises(ImageError, match="shift within s"):
        stack_pairs(stack, stack, "s", "s", shift=(0, -9))


def test_targets_with_holes_stay_finite() -> None:
    target = np.random.default_rng(0).random((16, 16), np.float32) * 500
    target[3] = np.nan
    (pair,) = stack_pairs(Stack(target, "YX"), Stack(target, "YX"), "s", "s")
    frame = pair.read()
    assert np.isfinite(frame.target).all()
    assert np.isfinite(frame.brightfield).all()
    assert not frame.is_finite


class Movie:
    """Planes of 20 GB in all, made when they are asked for, that count what they are asked for."""

    def __init__(self, planes: int = 2560, side: int = 2048) -> None:
        self.shape, self.dtype = (planes, side, side), np.dtype(np.uint16)
        self.read: list[int] = []

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[np.uint16]:
        number = key[0]
        assert isinstance(number, int)
        self.read.append(number)
        plane = np.full(self.shape[1:], 100 + number % 50, np.uint16)
        plane[::7, ::5] = 1000
        return plane


def test_a_movie_larger_than_memory_is_paired_without_reading_it() -> None:
    brightfield, fluorescence = Movie(), Movie()
    pairs = stack_pairs(Stack(brightfield, "TYX"), Stack(fluorescence, "TYX"), "movie", "movie")
    assert len(pairs) == 2560
    assert brightfield.read == fluorescence.read == []
    frame = pairs[17].read()
    assert frame.target.max() == 1
    assert brightfield.read == [17]
    assert len(fluorescence.read) <= 1 + 32  # the plane, and those that tell the stack's range
    pairs[18].read()
    assert len(fluorescence.read) <= 2 + 32
