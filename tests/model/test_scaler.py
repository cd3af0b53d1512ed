"""Planes are scaled where it is fastest, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import PlaneContrast, scale_brightfield
from napari_mitostain.model import scaler as scaler_module
from napari_mitostain.model.scaler import Scaler

CPU = torch.device("cpu")


def texture(*shape: int) -> np.ndarray:
    return gaussian_filter(np.random.default_rng(0).standard_normal(shape), 1.5).astype(np.float32)


def test_planes_without_contrast_are_told_and_left_out() -> None:
    scaler = Scaler(ScalingSettings(), CPU, 0)
    planes = [np.full((20, 30), 7, np.uint8), texture(20, 30), np.zeros((20, 30))]
    scaled, is_blank = scaler.planes(planes)
    assert is_blank == [True, False, True]
    np.testing.assert_array_equal(scaled, scale_brightfield(planes[1])[None])
    empty, is_blank = scaler.planes(planes[:1])
    assert (empty.shape, is_blank) == ((0, 20, 30), [True])


def test_some_pixels_of_a_part_without_its_background_are_told() -> None:
    part = (1000 + 300 * texture(90, 80)).astype(np.uint16)
    contrast = PlaneContrast.limits(part, ScalingSettings())
    where = slice(3, 80, 7), slice(11, 70, 5)
    found = Scaler(ScalingSettings(), CPU, 0).detail(contrast, part, where)
    np.testing.assert_array_equal(found, contrast.detail(part)[where])


class OnProcessor:
    """Stands in for a GPU: tensors stay here, where a stream is whatever is waited for."""

    def synchronize(self) -> None: ...


@pytest.mark.parametrize("memory", [0, 1e9])
def test_a_gpu_scales_what_its_memory_takes(monkeypatch: pytest.MonkeyPatch, memory: float) -> None:
    used = []
    monkeypatch.setattr(scaler_module, "streams_of", lambda _: (OnProcessor(), OnProcessor()))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: used.append(stream) or torch.no_grad())
    scaler, planes = Scaler(ScalingSettings(), CPU, memory), [texture(64, 80), np.zeros((64, 80), np.float32)]
    scaled, is_blank = scaler.planes(planes)
    assert (len(used), isinstance(scaled, torch.Tensor), is_blank) == (int(memory > 0), memory > 0, [False, True])
    np.testing.assert_allclose(scaled, scale_brightfield(planes[0])[None], atol=1e-4)

    part = (1000 + 300 * planes[0]).astype(np.uint16)
    contrast = PlaneContrast.limits(part, ScalingSettings()).measured(texture(50, 50))
    where = slice(0, 64, 3), slice(1, 80, 4)
    np.testing.assert_allclose(scaler.part(contrast, part), contrast.scale(part), atol=1e-2)
    np.testing.assert_allclose(scaler.detail(contrast, part, where), contrast.detail(part)[where], atol=1e-2)
    assert len(used) == 3 * int(memory > 0)


def test_a_lack_of_memory_leaves_scaling_to_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(scaler_module, "streams_of", lambda _: (OnProcessor(), OnProcessor()))
    monkeypatch.setattr(torch.cuda, "stream", lambda _: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(scaler_module, "scale_planes", refused)
    plane = texture(30, 40)
    scaled, is_blank = Scaler(ScalingSettings(), CPU, 1e9).planes([plane])
    assert (isinstance(scaled, np.ndarray), is_blank) == (True, [False])
    np.testing.assert_array_equal(scaled, scale_brightfield(plane)[None])
