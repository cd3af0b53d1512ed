"""Planes scaled as tensors are those that NumPy scales: a GPU and a processor see the same image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import PlaneContrast, scale_brightfield
from napari_mitostain.image.scaling import background, background_width
from napari_mitostain.model.device_scaling import (
    _background,
    _percentiles,
    detail_of_part,
    scale_planes,
    travels_as_it_is,
    uploaded,
)

CPU = torch.device("cpu")
CLOSE = 1e-4
"""Units of contrast. Moving averages of float32 sum in another order: 2⁻²⁴ of up to 3·10⁴ intensities, of which a unit
is at least a hundred here."""


def texture(*shape: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 100 + 20 * gaussian_filter(random.standard_normal(shape), 1.5) + np.linspace(0, 60, shape[1])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">u2", "i2", "u4", "i4", "f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("shape", [(256, 256), (37, 300), (600, 3), (1, 1), (1, 7)])
def test_planes_are_scaled_as_numpy_scales_them(dtype: str, shape: tuple[int, int]) -> None:
    planes = [(texture(*shape, seed=seed) / (2 if dtype == "i1" else 1)).astype(dtype) for seed in range(3)]
    scaled, is_blank = scale_planes(uploaded(planes, CPU), ScalingSettings())
    for plane, found, is_empty in zip(planes, scaled, is_blank, strict=True):
        expected = scale_brightfield(plane)
        np.testing.assert_allclose(found.numpy(), expected, atol=CLOSE)
        assert bool(is_empty) == (not expected.any())


@pytest.mark.parametrize(
    ("name", "plane"),
    [
        ("constant", np.full((50, 60), 7, np.uint16)),
        ("zero", np.zeros((50, 60), np.uint8)),
        ("one pixel", np.pad(np.full((1, 1), 250, np.uint8), 400)),
        ("hot pixel", np.where(np.arange(2500).reshape(50, 50) == 777, 65535, 900 + np.arange(50)).astype(np.uint16)),
        ("offset", (60000 + 4 * texture(80, 90)).astype(np.uint16)),
        ("float offset", 1e9 + texture(80, 90)),
        ("large", (texture(700, 1100)).astype(np.uint8)),
    ],
)
def test_planes_that_hold_little_or_much(name: str, plane: np.ndarray) -> None:
    scaled, is_blank = scale_planes(uploaded([plane], CPU), ScalingSettings())
    expected = scale_brightfield(plane)
    np.testing.assert_allclose(scaled[0].numpy(), expected, rtol=1e-4, atol=2e-2 if name == "offset" else 1e-3)
    assert bool(is_blank[0]) == (not expected.any()) == (name in ("constant", "zero"))


def test_a_blank_plane_does_not_touch_its_neighbours() -> None:
    planes = [
        texture(64, 64).astype(np.uint8),
        np.full((64, 64), 3, np.uint8),
        texture(64, 64, seed=1).astype(np.uint8),
    ]
    scaled, is_blank = scale_planes(uploaded(planes, CPU), ScalingSettings())
    assert is_blank.tolist() == [False, True, False]
    assert not scaled[1].any()
    alone, _ = scale_planes(uploaded(planes[2:], CPU), ScalingSettings())
    torch.testing.assert_close(scaled[2], alone[0])


@pytest.mark.parametrize("settings", [ScalingSettings(3.0), ScalingSettings(50.0, (10.0, 60.0))])
def test_settings_are_followed(settings: ScalingSettings) -> None:
    plane = texture(120, 140).astype(np.uint16)
    scaled, _ = scale_planes(uploaded([plane], CPU), settings)
    np.testing.assert_allclose(scaled[0].numpy(), scale_brightfield(plane, settings), atol=CLOSE)


@given(length=some.integers(1, 90), width=some.integers(1, 100), seed=some.integers(0, 99))
def test_moving_averages_end_as_scipy_s_do(length: int, width: int, seed: int) -> None:
    plane = np.random.default_rng(seed).random((4, length)).astype(np.float32)
    sigma = ((width**2 - 1) / 4) ** 0.5
    assert background_width(sigma) == width
    found = _background(torch.from_numpy(plane)[None], width)[0].numpy()
    np.testing.assert_allclose(found, background(plane, sigma), atol=1e-5)


@given(
    count=some.integers(1, 60),
    percents=some.tuples(some.floats(0, 100), some.floats(0, 100)).map(sorted),
    seed=some.integers(0, 99),
)
def test_percentiles_are_numpy_s(count: int, percents: list[float], seed: int) -> None:
    sample = np.random.default_rng(seed).normal(size=(2, count)).astype(np.float32)
    found = _percentiles(torch.from_numpy(sample), (percents[0], percents[1]))
    np.testing.assert_allclose(np.stack(found), np.percentile(sample, percents, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_detail_of_a_part_is_that_of_its_contrast(dtype: type) -> None:
    part = texture(150, 170).astype(dtype)
    part[3, 4] = np.iinfo(dtype).max
    contrast = replace(PlaneContrast.limits(part, ScalingSettings()), contrast=5.0)
    found = detail_of_part(uploaded([part], CPU)[0], contrast).numpy()
    np.testing.assert_allclose(found, contrast.detail(part), atol=1e-3)  # intensities


@pytest.mark.parametrize(("dtype", "holds"), [("u1", 1), ("i2", 1), (">u2", 1), ("u4", 0), ("f2", 0), ("f4", 0)])
def test_whole_numbers_of_up_to_16_bits_travel_as_they_are(dtype: str, holds: int) -> None:
    assert travels_as_it_is(np.dtype(dtype)) == bool(holds)
    sent = uploaded([np.ones((2, 3), dtype)], CPU)
    assert (sent.dtype == torch.float32) == (not holds)
