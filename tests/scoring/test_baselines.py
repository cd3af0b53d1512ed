"""The baselines: as strong as something trivial can be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mitostain.scoring import ceiling, constant_baseline, score, variance_baseline


def noisy_target(noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A target without noise, and as a camera sees it."""
    random = np.random.default_rng(0)
    clean = gaussian_filter(random.standard_normal((90, 90)), 2)
    clean = (0.2 + 0.6 * (clean - clean.min()) / np.ptp(clean)).astype(np.float32)
    return clean, (clean + random.normal(0, noise, clean.shape)).clip(0, 1).astype(np.float32)


def test_constant_is_the_median_everywhere() -> None:
    target = np.arange(99.0).reshape(9, 11) ** 2
    baseline = constant_baseline(target)
    assert baseline.shape == target.shape
    assert (baseline == 49**2).all()


def test_variance_finds_a_textured_patch_in_a_flat_plane() -> None:
    random = np.random.default_rng(1)
    target = np.zeros((90, 90), np.float32)
    target[30:60, 30:60] = 0.8
    brightfield = np.where(target > 0, 100 + 20 * random.standard_normal(target.shape), 100.0)
    assert score(variance_baseline(brightfield, target), target).pearson > 0.8
    assert score(variance_baseline(brightfield.T + 1000, target), target).pearson > 0.8  # whatever the offset


def test_variance_is_fitted_as_well_as_its_shape_allows() -> None:
    random = np.random.default_rng(2)
    brightfield = random.integers(0, 255, (60, 60)).astype(np.uint8)
    brightfield[:30] //= 4
    target = (0.5 + 0.2 * random.random((60, 60))).astype(np.float32)
    fitted = variance_baseline(brightfield, target)
    error = np.square(fitted - target).mean()
    for slope, offset in [(1.05, 0), (0.95, 0), (1, 0.01), (1, -0.01)]:
        assert np.square((fitted - fitted.mean()) * slope + fitted.mean() + offset - target).mean() >= error - 1e-9


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_variance_of_flat_brightfield_is_the_mean(kind: type) -> None:
    _, target = noisy_target()
    np.testing.assert_allclose(variance_baseline(np.full(target.shape, 7, kind), target), target.mean(), rtol=1e-6)


def test_ceiling_takes_noise_away_and_little_else() -> None:
    clean, target = noisy_target()
    assert np.abs(ceiling(target) - clean).mean() < np.abs(target - clean).mean() / 2
    np.testing.assert_allclose(ceiling(np.full((20, 20), 0.3, np.float32)), 0.3, rtol=1e-6)
