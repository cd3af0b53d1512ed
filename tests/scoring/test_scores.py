"""Scores: exact where a stain is perfect or empty, scikit-image's own elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_mitostain.errors import ImageError
from napari_mitostain.scoring import Scores, mean_scores, score


def plane(seed: int, sigma: float = 1.5, shape: tuple[int, int] = (60, 70)) -> np.ndarray:
    """Smoothed noise in [0, 1]."""
    image = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def test_perfect_stain_has_perfect_scores() -> None:
    scores = score(plane(0), plane(0))
    assert scores.ssim == pytest.approx(1)
    assert scores.psnr == math.inf
    assert scores.pearson == pytest.approx(1)
    assert scores.detail_pearson == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1 / 3, 1.0])
def test_constant_stain_correlates_with_nothing(value: float) -> None:
    scores = score(np.full((60, 70), value, np.float32), plane(0))
    assert scores.pearson == 0
    assert scores.detail_pearson == 0


def test_inverted_stain_has_correlation_minus_one() -> None:
    assert score(1 - plane(0), plane(0)).pearson == pytest.approx(-1)


@given(seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)), sigma=st.floats(0.5, 3))
def test_ssim_and_psnr_are_those_of_scikit_image_on_8_bit(seeds: tuple[int, int], sigma: float) -> None:
    stain, target = (np.rint(plane(seed, sigma, (21, 33)) * 255).astype(np.uint8) for seed in seeds)
    if (stain == target).all():
        return
    scores = score(stain / 255, target / 255)
    assert scores.ssim == pytest.approx(structural_similarity(target, stain, win_size=7))
    assert scores.psnr == pytest.approx(peak_signal_noise_ratio(target, stain))


def test_pearson_is_that_of_numpy() -> None:
    stain, target = plane(0), 0.5 * plane(0) + 0.5 * plane(1)
    assert score(stain, target).pearson == pytest.approx(np.corrcoef(stain.ravel(), target.ravel())[0, 1])


def test_detail_pearson_ignores_what_is_smoother_than_12_pixels() -> None:
    fine, other = plane(0, 1, (200, 200)) - 0.5, plane(1, 1, (200, 200)) - 0.5
    smooth = plane(2, 40, (200, 200))
    # Under the blur of 12 px, waves as long as 40 px keep all but 1 - exp(-(12/40)²/2) = 4 % of their height, 0.04 of
    # the range here; the detail is larger, so it decides.
    same_blur_other_detail = score(smooth + 0.4 * fine, smooth + 0.4 * other)
    assert same_blur_other_detail.pearson > 0.8
    assert abs(same_blur_other_detail.detail_pearson) < 0.2
    other_blur_same_detail = score(0.4 * fine + 0.5, smooth + 0.4 * fine)
    assert other_blur_same_detail.pearson < 0.5
    assert other_blur_same_detail.detail_pearson > 0.9


def test_blurred_map_of_where_things_are_scores_in_pearson_but_not_in_detail() -> None:
    target = plane(3, 2, (200, 200)) * plane(4, 30, (200, 200)) ** 2
    blurred = gaussian_filter(target, 15)
    scores = score(blurred, target)
    assert scores.pearson > 0.5
    assert scores.detail_pearson < scores.pearson - 0.3


def test_scores_do_not_see_what_is_beyond_zero_and_one_in_8_bit() -> None:
    stain = plane(0) * 3 - 1
    assert score(stain, plane(1)).ssim == score(stain.clip(0, 1), plane(1)).ssim


def test_planes_of_two_sizes_are_refused() -> None:
    with pytest.raises(ImageError, match=r"one size, got \(60, 70\) predicted and \(70, 60\) target"):
        score(plane(0), plane(0).T)


@pytest.mark.parametrize("shape", [(6, 70), (70, 6), (1, 1)])
def test_planes_smaller_than_the_window_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="7×7"):
        score(np.zeros(shape), np.zeros(shape))


def test_mean_scores_average_each_score() -> None:
    assert mean_scores([Scores(0.0, 10.0, -1.0, 0.5), Scores(1.0, 20.0, 0.0, 0.5)]) == Scores(0.5, 15.0, -0.5, 0.5)
