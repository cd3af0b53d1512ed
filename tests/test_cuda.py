"""What only a CUDA GPU can show: stains are those of the processor, memory stays bounded, a lack of it is survived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import ScalingSettings, StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.events import FileDone, Notice
from napari_mitostain.image import load_array, scale_brightfield, units
from napari_mitostain.image.files import read_stack
from napari_mitostain.model.device_scaling import scale_planes, uploaded
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining import stain, stain_file, stain_stack

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")

CPU, GPU = (StainSettings(device, "float32") for device in ("cpu", "cuda"))
CLOSE = 5e-3
"""Convolutions on a GPU multiply with the 10 bits of TF32 also where float32 is asked for."""


def texture(*shape: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    detail = gaussian_filter(random.standard_normal(shape), (0,) * (len(shape) - 2) + (2, 2))
    return (3000 + 9000 * detail + np.linspace(0, 500, shape[-1])).astype(np.uint16)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture
def _little_memory() -> Iterator[None]:
    """Leave this process 0.4 GB of the GPU."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(0.4e9 / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(256, 256), (700, 1100), (3, 50)])
def test_planes_are_scaled_as_on_the_processor(dtype: str, shape: tuple[int, int]) -> None:
    planes = [(texture(*shape, seed=seed) / (300 if dtype == "u1" else 1)).astype(dtype) for seed in range(3)]
    planes[1] = np.full(shape, 7, dtype)
    scaled, is_blank = scale_planes(uploaded(planes, torch.device("cuda")), ScalingSettings())
    assert is_blank.tolist() == [False, True, False]
    for plane, found in zip(planes, scaled.cpu().numpy(), strict=True):
        np.testing.assert_allclose(found, scale_brightfield(plane), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 2048, 2048), (40, 256, 256), (3, 1000, 777), (2, 2500, 2200)])
@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_stain_is_that_of_the_processor(model: Model, shape: tuple[int, ...], precision: str) -> None:
    planes = texture(*shape)
    expected = stain(planes[-1], model, CPU)
    found = stain(planes, model, StainSettings("cuda", precision))  # type: ignore[arg-type]
    error = np.abs(found[-1] - expected)
    assert error.mean() < {"auto": 1e-4, "float32": 1e-4, "bfloat16": 2e-3}[precision]
    assert error.max() < {"auto": 0.02, "float32": 0.02, "bfloat16": 0.2}[precision]


def test_tiles_cannot_be_seen(model: Model) -> None:
    plane = texture(1500, 1300)
    whole, tiled = (stain(plane, model, StainSettings("cuda", "float32", tile)) for tile in (2048, 512))
    np.testing.assert_allclose(tiled, whole, atol=1e-4 if torch.backends.cudnn.allow_tf32 is False else 2e-3)


def test_planes_without_contrast_and_with_holes_are_told(model: Model) -> None:
    planes = texture(90, 256, 256).astype(np.float32)
    planes[7], planes[30, 5, 5] = 3, np.nan
    events = list(stain_stack(load_array(planes), model, GPU))
    said = [event.message for event in events if isinstance(event, Notice)]
    assert ["z=30" in said[0], "z=7" in said[1], len(said)] == [True, True, 2]


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
def test_files_are_stained_and_a_rerun_proves_them(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cut: bool, name: str
) -> None:
    if is_cut:
        monkeypatch.setattr(units, "LARGE", 600**2)
        monkeypatch.setattr(units, "BLOCK", 512)
    planes = texture(6, 1200, 900)
    zarr.create_array(tmp_path / "in.zarr", data=planes)
    for is_rerun in (False, True):
        events = list(stain_file(tmp_path / "in.zarr", tmp_path / name, model, GPU))
        assert [event.kept for event in events if isinstance(event, FileDone)] == [is_rerun]
    found = read_stack(tmp_path / name)
    for z in (0, 5):
        np.testing.assert_allclose(found.read((z,)), stain(planes[z], model, GPU), atol=CLOSE)


@pytest.mark.parametrize("gigabytes", [0.3, 1.0])
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(1, 4000, 3000), (100, 256, 256)])
def test_memory_is_bounded_by_the_setting(
    model: Model, shape: tuple[int, ...], precision: str, gigabytes: float
) -> None:
    planes = texture(*shape)
    stain(planes[0, :64, :64], model, GPU)  # what libraries take once is not meant
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    stain(planes, model, StainSettings("cuda", precision, gpu_memory_gb=gigabytes))  # type: ignore[arg-type]
    taken = torch.cuda.max_memory_allocated() - before
    assert 0.02e9 < taken < gigabytes * 1e9


@pytest.mark.parametrize("gigabytes", [0.3, 1.0])
def test_memory_of_blocks_is_bounded_by_the_setting(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float
) -> None:
    monkeypatch.setattr(units, "LARGE", 600**2)
    monkeypatch.setattr(units, "BLOCK", 1024)
    zarr.create_array(tmp_path / "in.zarr", data=texture(4100, 3000))
    stain(texture(64, 64), model, GPU)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    list(stain_file(tmp_path / "in.zarr", tmp_path / "out.zarr", model, StainSettings("cuda", gpu_memory_gb=gigabytes)))
    assert 0.02e9 < torch.cuda.max_memory_allocated() - before < gigabytes * 1e9


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("shape", [(60, 256, 256), (1, 2000, 2000)])
def test_too_little_memory_halves_the_batch_then_the_tile(model: Model, shape: tuple[int, ...]) -> None:
    planes = texture(*shape)
    settings = StainSettings("cuda", "float32", gpu_memory_gb=40)  # which is not there
    events = list(stain_stack(load_array(planes), model, settings))
    assert [event for event in events if isinstance(event, Notice) and "Not enough memory" in event.message]
    np.testing.assert_allclose(events[-1].values, stain(planes[-1], model, CPU), atol=0.02)


def test_numbers_that_float16_does_not_hold_are_an_error_and_float32_is_advised(random_generator: object) -> None:
    generator = random_generator(16, 2)  # type: ignore[operator]
    with torch.no_grad():
        generator.encoders[0][0].weight *= 1e-3
        generator.encoders[0][1].running_var.fill_(1e-18)
        generator.encoders[0][1].eps = 0
    huge = Model(load_model().card, generator)
    window = scale_brightfield(texture(64, 64))
    assert np.isfinite(Predictor(huge, GPU)(window)).all()
    with pytest.raises(DeviceError, match="choose float32"):
        Predictor(huge, StainSettings("cuda"))(window)
