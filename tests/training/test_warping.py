"""Warped patches: both images alike, within their range, and nothing made of pixels that are not known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mitostain.training.warping import warped


@pytest.fixture
def smooth() -> np.ndarray:
    """Structures far wider than a pixel, in [0, 1], which both kinds of interpolation leave as they are."""
    values = gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 6).astype(np.float32)
    return (values - values.min()) / np.ptp(values)


def test_both_images_are_warped_alike_and_each_time_otherwise(smooth: np.ndarray) -> None:
    random, before = np.random.default_rng(1), 0
    for _ in range(20):
        brightfield, target = warped(smooth, smooth, random)
        assert (brightfield.shape, brightfield.dtype) == (smooth.shape, np.float32)
        # the two kinds of interpolation differ by less than a third of a pixel's shift would
        np.testing.assert_allclose(brightfield, target, atol=np.abs(np.diff(smooth)).max() / 3)
        assert target.min() >= 0
        assert target.max() <= 1
        before += np.array_equal(target, smooth)
    assert 0 < before < 15  # a quarter is left as it is


def test_middle_stays_and_what_lies_around_it_turns_and_grows_a_little() -> None:
    spot = np.zeros((65, 65), np.float32)
    spot[31:34, 31:34] = 1
    aside = np.roll(spot, 12, axis=1)
    places = []
    for seed in range(30):
        middle, turned = (warped(image, image, np.random.default_rng(seed))[1] for image in (spot, aside))
        assert np.unravel_index(middle.argmax(), middle.shape) in [(y, x) for y in (31, 32, 33) for x in (31, 32, 33)]
        places.append(np.subtract(np.unravel_index(turned.argmax(), turned.shape), 32))
    distances = np.hypot(*np.transpose(places))
    angles = np.degrees(np.arctan2(*np.transpose(places)))
    assert np.abs(angles).max() <= 45 + 15  # the stretch and the size of the spot add to half a quarter turn
    assert np.abs(angles).max() > 20
    # logarithms of zoom and stretch, and a pixel of the spot to either side
    assert 12 * np.exp(-0.28) - 1.5 <= distances.min() < 11
    assert 13 < distances.max() <= 12 * np.exp(0.28) + 1.5


def test_unknown_target_stays_unknown_and_spreads_no_further_than_its_neighbours(smooth: np.ndarray) -> None:
    target = smooth.copy()
    target[20:30, 20:30] = np.nan
    for seed in range(10):
        brightfield, found = warped(smooth, target, np.random.default_rng(seed))
        known = np.isfinite(found)
        assert np.isfinite(brightfield).all()
        assert 0 < (~known).sum() < 4 * 14 * 14  # zoomed, and a pixel around
        np.testing.assert_allclose(found[known], warped(smooth, smooth, np.random.default_rng(seed))[1][known])
