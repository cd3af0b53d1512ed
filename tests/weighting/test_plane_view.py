"""A plane as it is looked at: weights, contours, histogram, and the patch that is reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting import band_numbers, bands, histogram, statistics, tn_weights, view_plane
from napari_mitostain.weighting.plane_view import band_contours, patches

PATCHES = WeightSettings(scope="patch")


@pytest.fixture
def image() -> NDArray[np.float64]:
    """A plane (Y, X) whose parts differ in brightness."""
    image = np.random.default_rng(0).exponential(size=(50, 70))
    image[:20] *= 10
    return image


def test_plane_is_weighed_by_itself(image: NDArray[Any]) -> None:
    seen = view_plane(image)
    np.testing.assert_array_equal(seen.weights, tn_weights(image))
    assert seen.measured == statistics(image)
    assert seen.bands == bands(statistics(image))
    np.testing.assert_array_equal(seen.numbers, band_numbers(image, seen.bands))
    assert seen.pixels == tuple(float((seen.numbers == band).mean()) for band in (1, 2, 3))


def test_statistics_of_the_stack_replace_the_planes_own(image: NDArray[Any]) -> None:
    whole = statistics(np.stack([image, 3 * image]))
    seen = view_plane(image, WeightSettings(scope="stack"), whole)
    np.testing.assert_array_equal(seen.weights, tn_weights(image, measured=whole))
    assert seen.measured == whole


@pytest.mark.parametrize("side", [7, 32, 50, 1000])
def test_each_patch_is_weighed_by_itself(image: NDArray[Any], side: int) -> None:
    seen = view_plane(image, PATCHES, statistics(image), side)
    for row in range(0, 50, side):
        for column in range(0, 70, side):
            box = slice(row, row + side), slice(column, column + side)
            np.testing.assert_array_equal(seen.weights[box], tn_weights(image[box]))


@given(height=st.integers(1, 40), width=st.integers(1, 40), side=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_patches_cover_a_plane_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for box in patches((height, width), side):
        covered[box] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(
    ("at", "box"),
    [
        ((0, 0), (slice(0, 32), slice(0, 32))),
        ((31, 32), (slice(0, 32), slice(32, 64))),
        ((49, 69), (slice(32, 50), slice(64, 70))),
        ((-5, 999), (slice(0, 32), slice(64, 70))),  # beyond the plane: the nearest patch
    ],
)
def test_the_patch_looked_at_is_reported(image: NDArray[Any], at: tuple[int, int], box: Any) -> None:
    seen = view_plane(image, PATCHES, None, 32, at)
    assert seen.measured == statistics(image[box])
    assert seen.bands == bands(statistics(image[box]))


def test_contours_are_the_inner_borders_of_what_is_brighter() -> None:
    numbers = np.ones((7, 7), np.uint8)
    numbers[1:6, 1:6] = 2
    numbers[2:5, 2:5] = 3
    expected = np.zeros((7, 7), int)
    expected[1:6, 1:6] = 1
    expected[2:5, 2:5] = 2
    expected[3, 3] = 0  # within
    np.testing.assert_array_equal(band_contours(numbers), expected)


def test_a_contour_does_not_run_along_the_edge_of_the_plane() -> None:
    numbers = np.full((5, 5), 3, np.uint8)
    assert not band_contours(numbers).any()
    numbers[:, 0] = 1
    assert band_contours(numbers)[:, 1].tolist() == [2] * 5
    assert not band_contours(numbers)[:, 2:].any()


def test_bright_structures_without_dim_ones_around_them_show_the_second_threshold() -> None:
    numbers = np.ones((3, 3), np.uint8)
    numbers[1, 1] = 3
    assert band_contours(numbers)[1, 1] == 2


def test_pixels_that_are_not_finite_have_neither_weight_nor_contour(image: NDArray[Any]) -> None:
    image[10:14, 10:14] = np.nan
    seen = view_plane(image)
    assert not seen.weights[10:14, 10:14].any()
    assert not seen.contours[10:14, 10:14].any()
    assert np.isfinite(seen.weights).all()


@pytest.mark.parametrize("value", [7.0, np.nan])
@pytest.mark.parametrize("chosen", [WeightSettings(), PATCHES], ids=["plane", "patch"])
def test_plane_without_contrast_is_background_or_nothing(value: float, chosen: WeightSettings) -> None:
    seen = view_plane(np.full((20, 20), value), chosen, patch=16)
    assert not seen.weights.any()
    assert not seen.contours.any()
    assert seen.pixels == ((1.0, 0.0, 0.0) if value == 7 else (0.0, 0.0, 0.0))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_histogram_counts_every_pixel(dtype: type) -> None:
    image = np.random.default_rng(0).normal(1000, 250, (60, 60)).clip(0, 255 if dtype is np.uint8 else 5000)
    counted = histogram(image.astype(dtype), statistics(image.astype(dtype)))
    assert counted.counts.sum() == image.size
    assert len(counted.edges) == len(counted.counts) + 1
    assert (np.diff(counted.edges) > 0).all()


def test_bins_of_whole_numbers_hold_whole_numbers() -> None:
    image = np.repeat(np.arange(1000, dtype=np.uint16), 3)[None] + np.uint16(77)
    counted = histogram(image, statistics(image))
    # 1000 levels into at most 256 bins: 4 levels a bin, 3 pixels each, so no bin stands out
    assert set(counted.counts.tolist()) == {12}


@pytest.mark.parametrize("image", [np.full((4, 4), 9, np.uint8), np.full((4, 4), 0.5), np.full((4, 4), np.nan)])
def test_histogram_of_a_plane_without_contrast(image: NDArray[Any]) -> None:
    counted = histogram(image, statistics(image))
    assert counted.counts.sum() == np.isfinite(image).sum()
    assert (np.diff(counted.edges) > 0).all()
