"""Shifts between images, found by where they correlate best; none is found where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.training.alignment import FARTHEST, added, correlation, peak_of, texture


def blobs(seed: int, side: int = 220) -> NDArray[np.float32]:
    return gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 2).astype(np.float32)


def noisy(image: NDArray[np.float32], seed: int, share: float) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal(image.shape) * image.std() * share
    return (image + noise).astype(np.float32)


@pytest.mark.parametrize("shift", [(0, 0), (7, -5), (-12, 9), (20, 0), (-1, -19)])
def test_shift_that_was_applied_is_found(shift: tuple[int, int]) -> None:
    scene = blobs(0)
    fixed = scene[22:-22, 22:-22]
    moved = scene[22 + shift[0] :, 22 + shift[1] :][:176, :176]
    peak = peak_of(correlation(noisy(fixed, 1, 1.0), noisy(moved, 2, 1.0)))
    assert peak.is_clear
    assert peak.shift == shift


@pytest.mark.parametrize("seed", range(20))
def test_images_of_different_places_have_no_shift(seed: int) -> None:
    assert not peak_of(correlation(blobs(seed), blobs(seed + 100))).is_clear


def test_several_frames_tell_what_one_cannot() -> None:
    surfaces = [
        correlation(noisy(blobs(seed), seed + 50, 12.0), noisy(np.roll(blobs(seed), (-7, 5), (0, 1)), seed + 80, 12.0))
        for seed in range(12)
    ]
    assert not all(peak_of(surface).is_clear for surface in surfaces)
    together = peak_of(added(surfaces))
    assert together.is_clear
    assert together.shift == pytest.approx((7, -5), abs=1)  # 12 parts of noise to one of signal


def test_surfaces_of_images_of_different_size_add_up() -> None:
    surfaces = [correlation(blobs(0, side), blobs(0, side)) for side in (64, 220, 600)]
    assert [surface.shape for surface in surfaces] == [(17, 17), (55, 55), (2 * FARTHEST + 1,) * 2]
    assert added(surfaces).shape == (17, 17)
    assert peak_of(added(surfaces)).shift == (0, 0)


def test_constant_images_have_no_shift() -> None:
    flat = np.ones((100, 100), np.float32)
    assert not peak_of(correlation(flat, blobs(0, 100))).is_clear
    assert not peak_of(correlation(flat, flat)).is_clear


def test_texture_is_where_the_brightfield_varies() -> None:
    image = np.zeros((60, 60), np.float32)
    image[20:40, 20:40] = np.random.default_rng(0).standard_normal((20, 20))
    found = texture(image)
    assert found[30, 30] > 0.5
    assert found[5, 5] == 0
