"""Intensity scaling: what it does not see (light, gain, offset, type), and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import IntensityRange, fill_non_finite, scale_brightfield
from napari_mitostain.image.scaling import contrast_of


def brightfield(shape: tuple[int, int] = (120, 150)) -> np.ndarray:
    """Integers from 0 to 200 with structure of a few pixels."""
    image = gaussian_filter(np.random.default_rng(0).standard_normal(shape), 1.5)
    return np.rint(200 * (image - image.min()) / np.ptp(image)).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_any_type_becomes_float32(dtype: type) -> None:
    assert scale_brightfield(brightfield().astype(dtype)).dtype == np.float32


def test_gaussian_texture_has_about_unit_contrast_and_no_mean() -> None:
    noise = np.random.default_rng(1).normal(500, 30, (300, 300))
    scaled = scale_brightfield(noise)
    assert scaled.dtype == np.float32
    # The percentiles of 90 000 pixels are good to about 1 %; the blur of 20 px takes a 1000th of the noise away.
    assert scaled.std() == pytest.approx(1, abs=0.03)
    assert scaled.mean() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32, np.float64])
def test_data_type_does_not_matter(kind: type) -> None:
    # float32 sums of values near 200, divided by a contrast of about 30, are good to 200 * 6e-8 / 30 per pass
    np.testing.assert_allclose(
        scale_brightfield(brightfield().astype(kind)), scale_brightfield(brightfield()), atol=1e-4
    )


@pytest.mark.parametrize(
    ("kind", "offset"), [(np.uint16, 60_000), (np.float32, 1e6), (np.float64, 1e9), (np.float64, -1e6)]
)
def test_offset_does_not_matter(kind: type, offset: float) -> None:
    moved = (brightfield().astype(np.float64) + offset).astype(kind)
    # 16 bit stay as they are: near 60 000 float32 is good to 0.004, in each of six passes, over a contrast of 30
    np.testing.assert_allclose(scale_brightfield(moved), scale_brightfield(brightfield()), atol=2e-3)


@given(gain=st.sampled_from([1e-300, 1e-30, 0.01, 3.0, 1e6, 1e30, 1e300]))
def test_gain_does_not_matter_even_if_huge(gain: float) -> None:
    np.testing.assert_allclose(
        scale_brightfield(brightfield() * gain), scale_brightfield(brightfield().astype(float)), atol=1e-4
    )


def test_inverted_contrast_is_kept_as_such() -> None:
    np.testing.assert_allclose(scale_brightfield(255 - brightfield()), -scale_brightfield(brightfield()), atol=1e-3)


def test_uneven_light_is_removed_inside_the_plane() -> None:
    lit = brightfield((200, 200)) + np.linspace(0, 400, 200)
    inner = slice(60, -60)  # beyond three blurs' reach of the reflected border, where the slope has a kink
    flat = scale_brightfield(brightfield((200, 200)).astype(float))
    ratio = np.corrcoef(scale_brightfield(lit)[inner, inner].ravel(), flat[inner, inner].ravel())[0, 1]
    assert ratio > 0.999


def test_percentiles_and_background_are_those_of_the_settings() -> None:
    image = brightfield()
    assert not np.allclose(scale_brightfield(image), scale_brightfield(image, ScalingSettings(5.0)))
    assert not np.allclose(scale_brightfield(image), scale_brightfield(image, ScalingSettings(20.0, (10.0, 90.0))))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("value", [0, 1, 100])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (30, 40)])
def test_constant_plane_is_zero_and_not_amplified_rounding(kind: type, value: float, shape: tuple[int, int]) -> None:
    assert not scale_brightfield(np.full(shape, value).astype(kind)).any()


@pytest.mark.parametrize("value", [0.1, 1 / 3, -1e30, 1e300, 1e-300])
def test_constant_float_plane_is_zero(value: float) -> None:
    assert not scale_brightfield(np.full((30, 40), value)).any()


def test_negative_values_are_ordinary() -> None:
    np.testing.assert_allclose(
        scale_brightfield(brightfield().astype(np.int16) - 150), scale_brightfield(brightfield()), atol=1e-4
    )


@given(
    image=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(allow_nan=True, width=64)
    )
)
def test_any_floats_give_finite_values(image: np.ndarray) -> None:
    scaled = scale_brightfield(image)
    assert scaled.shape == image.shape
    assert np.isfinite(scaled).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_count_as_the_median(value: float) -> None:
    image = brightfield().astype(np.float32)
    holed, filled = image.copy(), image.copy()
    holed[4:6, 7:9] = value
    filled[4:6, 7:9] = np.median(holed[np.isfinite(holed)])
    np.testing.assert_array_equal(fill_non_finite(holed), filled)
    np.testing.assert_array_equal(scale_brightfield(holed), scale_brightfield(filled))


def test_image_without_holes_is_filled_with_itself() -> None:
    for image in (brightfield(), brightfield().astype(np.float32)):
        assert fill_non_finite(image) is image


def test_image_of_holes_only_is_zero() -> None:
    assert not fill_non_finite(np.full((3, 4), np.nan)).any()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("percentiles", [(0.0, 100.0), (1.0, 99.0), (50.0, 50.5)])
def test_percentiles_are_those_of_numpy(size: int, percentiles: tuple[float, float]) -> None:
    sample = np.random.default_rng(size).normal(1e5, 1e3, (size, 3)).astype(np.float32)
    found = contrast_of(sample, ScalingSettings(percentiles=percentiles))
    low, high = np.percentile(sample.astype(np.float64), percentiles)
    assert found == pytest.approx((high - low) / (ndtri(percentiles[1] / 100) - ndtri(percentiles[0] / 100)), rel=1e-9)


@pytest.mark.parametrize("percentiles", [(0.5, 99.5), (10.0, 90.0), (25.0, 99.0)])
def test_contrast_is_in_the_same_unit_whatever_the_percentiles(percentiles: tuple[float, float]) -> None:
    noise = np.random.default_rng(2).normal(0, 7, (300, 300))
    assert scale_brightfield(noise, ScalingSettings(percentiles=percentiles)).std() == pytest.approx(1, abs=0.03)


def test_background_is_what_is_smoother_than_the_settings_say() -> None:
    wave = np.sin(2 * np.pi * np.arange(640) / 64)[:, None]
    plane = wave + np.random.default_rng(6).standard_normal((640, 64))
    inside = slice(128, -128)  # three boxes of 80 px reach 120 px beyond an edge
    kept, removed = (
        2 * (scale_brightfield(plane, ScalingSettings(background_px=width)) * wave)[inside].mean() for width in (40, 3)
    )
    # A Gaussian of 3 px takes exp(-(2π 3 / 64)² / 2) = 96 % of the wave out, one of 40 px nothing. The contrast of the
    # noise is 1, of wave and noise together √1.5. The noise itself adds 0.01 by chance.
    assert removed == pytest.approx(0.04, abs=0.04)
    assert kept == pytest.approx(1.5**-0.5, abs=0.1)


def test_part_of_a_plane_is_scaled_by_the_whole_and_not_by_itself() -> None:
    """Scaled tile by tile, a quiet tile would be blown up to the contrast of a busy one, with a seam between them."""
    plane = np.random.default_rng(12).standard_normal((120, 120))
    plane[:, 60:] *= 10
    quiet = (slice(None), slice(0, 50))
    assert scale_brightfield(plane)[quiet].std() < 0.3
    assert scale_brightfield(plane[quiet]).std() == pytest.approx(1, abs=0.1)


@given(shape=st.sampled_from([(1, 300), (300, 1), (1, 1), (2, 700), (3, 1100), (1100, 5)]))
def test_thin_and_long_planes_keep_their_shape(shape: tuple[int, int]) -> None:
    scaled = scale_brightfield(np.random.default_rng(0).standard_normal(shape))
    assert scaled.shape == shape
    assert np.isfinite(scaled).all()


def test_plane_given_is_left_as_it_is() -> None:
    plane = brightfield().astype(np.float32)
    before = plane.copy()
    scale_brightfield(plane)
    np.testing.assert_array_equal(plane, before)


# ---------------------------------------------------------------- fluorescence


def test_8_bit_keeps_its_full_range() -> None:
    assert IntensityRange.fit(np.array([[3, 90]], np.uint8)) == IntensityRange(0.0, 255.0)


def test_relative_floats_are_left_as_they_are() -> None:
    image = np.array([[0.2, 0.7]], np.float32)
    np.testing.assert_array_equal(IntensityRange.fit(image).apply(image), image)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_other_images_span_from_the_minimum_to_a_high_percentile(kind: type) -> None:
    image = (np.arange(10_001) + 50).astype(kind)
    found = IntensityRange.fit(image)
    assert (found.low, found.high) == pytest.approx((50, 50 + 9990))
    assert found.apply(image)[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("image", [np.full((3, 3), 7, np.uint16), np.full((3, 3), np.nan), np.zeros((2, 2))])
def test_image_without_contrast_has_a_range_all_the_same(image: np.ndarray) -> None:
    found = IntensityRange.fit(image)
    assert found.low < found.high


def test_structure_in_very_few_pixels_is_not_taken_for_a_constant_plane():
    plane = np.full((300, 300), 100, np.uint8)
    plane[150:153, 150:153] = 200
    assert scale_brightfield(plane, ScalingSettings(background_px=1)).any()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("value", [65535, 1e9, 3e38])
def test_hot_pixels_change_nothing_but_their_surroundings(dtype: type, value: float) -> None:
    plane = np.random.default_rng(4).normal(1000, 30, (300, 300)).astype(dtype)
    hot = plane.copy()
    hot[100, 100] = min(value, np.finfo(dtype).max if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max)
    clean, spoilt = scale_brightfield(plane), scale_brightfield(hot)
    far = np.ones(plane.shape, bool)
    far[30:171, 30:171] = False  # the three averages of 40 pixels reach 60
    # percentiles of 90 000 pixels hardly move with one of them
    np.testing.assert_allclose(spoilt[far], clean[far], atol=1e-2)
