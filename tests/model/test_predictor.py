"""The predictor stains windows as the generator does, whatever their layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model import predictor as predictor_module
from napari_mitostain.model import scaler
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import pad

FLOAT32 = StainSettings("cpu", "float32")


def window(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape or (32, 24)).astype(np.float32)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_stain_of_a_window_is_the_generator_s(tiny_model: Model, precision: str, tolerance: float) -> None:
    image = window()
    stain = Predictor(tiny_model, StainSettings("cpu", precision))(image)  # type: ignore[arg-type]
    with torch.inference_mode():
        expected = tiny_model.generator(torch.from_numpy(image)[None, None])[0, 0].numpy()
    # float32: folded norms round some weights once more. bfloat16: 2^-9 of logits of about 5, for each of 10 layers,
    # through a sigmoid of slope 1/4
    np.testing.assert_allclose(stain, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("gain", [0.0, 1.0, 1e4])
def test_stain_is_float32_within_zero_and_one(tiny_model: Model, precision: str, gain: float) -> None:
    image = gain * window(20, 36)
    stain = Predictor(tiny_model, StainSettings("cpu", precision))(image)  # type: ignore[arg-type]
    assert stain.dtype == np.float32
    assert stain.shape == image.shape
    assert 0 <= stain.min() <= stain.max() <= 1


@pytest.mark.parametrize("view", [np.fliplr, np.asfortranarray, lambda w: np.repeat(w, 2, 1)[:, ::2], np.float64])
def test_layout_and_type_of_the_window_make_no_difference(tiny_model: Model, view: object) -> None:
    predict, image = Predictor(tiny_model, FLOAT32), window()
    viewed = view(image)  # type: ignore[operator]
    np.testing.assert_array_equal(predict(viewed), predict(np.ascontiguousarray(viewed, np.float32)))


def test_window_is_left_as_it_is(tiny_model: Model) -> None:
    image = window()
    before = image.copy()
    Predictor(tiny_model, FLOAT32)(image)
    np.testing.assert_array_equal(image, before)


def test_tile_is_that_of_the_settings_or_the_device_s(tiny_model: Model) -> None:
    assert Predictor(tiny_model, StainSettings("cpu", "float32", 96)).tile == 96
    assert Predictor(tiny_model, FLOAT32).tile >= 512


def test_device_that_cannot_take_the_model_is_named_in_a_sentence(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: Model, device: torch.device, dtype: torch.dtype) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 MiB.")

    monkeypatch.setattr(Model, "prepared", fail)
    with pytest.raises(DeviceError, match=r"^Expected cpu to take the model, got CUDA out of memory.*; .*\.$"):
        Predictor(tiny_model, FLOAT32)


def test_predictors_of_one_model_share_its_network(tiny_model: Model) -> None:
    first, second = Predictor(tiny_model, FLOAT32), Predictor(tiny_model, StainSettings("cpu", "float32", 64))
    assert first.network is second.network
    assert Predictor(tiny_model, StainSettings("cpu", "bfloat16")).network is not first.network


def test_memory_of_the_processor_can_be_released(tiny_model: Model) -> None:
    predict = Predictor(tiny_model, FLOAT32)
    predict.release_memory()
    assert predict(window()).any()


def test_batch_of_windows_is_stained_as_each_of_them(tiny_model: Model) -> None:
    predict, windows = Predictor(tiny_model, FLOAT32), window(3, 20, 36)
    stain = predict(windows)
    assert stain.shape == windows.shape
    for image, expected in zip(windows, stain, strict=True):
        np.testing.assert_allclose(predict(image), expected, rtol=0, atol=1e-6)


class FakeGpu:
    """Lets a predictor choose for a GPU with so much memory, and gives it the processor to compute with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: float) -> None:
        monkeypatch.setattr(predictor_module, "choose_device", lambda _wanted: torch.device("cuda"))
        monkeypatch.setattr(predictor_module, "choose_stain_dtype", lambda _wanted, _device: torch.float32)
        monkeypatch.setattr(predictor_module, "free_memory", lambda _device: free)
        monkeypatch.setattr(Model, "prepared", lambda model, _device, _dtype: model.generator)
        monkeypatch.setattr(scaler, "streams_of", lambda _: None)

    def predictor(self, model: Model, **settings: object) -> Predictor:
        return Predictor(model, StainSettings("cuda", **settings))  # type: ignore[arg-type]


def taken(predictor: Predictor, side: int) -> float:
    """Bytes that a window of a core of that side takes, by what was measured: 5 numbers a pixel and base channel."""
    stride, halo = predictor.model.geometry.stride, predictor.model.geometry.halo
    window = side + 2 * -(-halo // stride) * stride
    return 5 * window**2 * predictor.model.generator.base_channels * predictor.dtype.itemsize


@pytest.mark.parametrize("gigabytes", [0.1, 0.17, 0.3])
def test_gpu_memory_bounds_the_tile_and_the_batch(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch, gigabytes: float
) -> None:
    predictor = FakeGpu(monkeypatch, free=80e9).predictor(tiny_model, gpu_memory_gb=gigabytes)
    assert 0.5 * gigabytes * 1e9 < taken(predictor, predictor.tile) < gigabytes * 1e9
    assert predictor.tile % tiny_model.geometry.stride == 0
    assert 5 * predictor.room * 4 * 4 < gigabytes * 1e9


def test_half_of_the_free_memory_of_a_gpu_is_taken_at_most(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    small = FakeGpu(monkeypatch, free=0.4e9).predictor(tiny_model)
    assert taken(small, small.tile) < 0.2e9
    large = FakeGpu(monkeypatch, free=80e9).predictor(tiny_model)
    assert large.tile == 4096
    assert 0 < large.room <= large.tile**2


def test_smallest_gpu_memory_still_has_a_tile(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = FakeGpu(monkeypatch, free=0).predictor(tiny_model)
    assert predictor.tile == tiny_model.geometry.stride


def test_tile_of_the_settings_is_kept_where_memory_suffices(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, free=80e9)
    assert gpu.predictor(tiny_model, tile=96).tile == 96
    assert gpu.predictor(tiny_model, tile=8192, gpu_memory_gb=0.1).tile < 2048


def test_processor_takes_one_window_after_another_whatever_the_memory(tiny_model: Model) -> None:
    predictor = Predictor(tiny_model, StainSettings("cpu", "float32", gpu_memory_gb=0.1))
    assert (predictor.room, predictor.tile) == (0, 1024)


@pytest.mark.parametrize("shape", [(1, 1), (1, 33), (16, 32), (30, 7), (2, 3), (65, 17)])
@pytest.mark.parametrize("count", [1, 3])
def test_tensors_are_padded_as_arrays_are(tiny_model: Model, shape: tuple[int, int], count: int) -> None:
    planes, more = window(count, *shape), tuple(-side % 16 for side in shape)
    predict = Predictor(tiny_model, FLOAT32)
    expected = pad(planes, more)
    np.testing.assert_array_equal(predict.padded(planes, more), expected)
    found = predict.padded(torch.from_numpy(planes), more)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("precision", "step"), [("bfloat16", 2.0**-12), ("float16", 2.0**-16)])
def test_stains_are_rounded_to_less_than_their_error(precision: str, step: float) -> None:
    model, image = load_model(), window(64, 64)
    exact = Predictor(model, FLOAT32)(image)
    assert (exact % step).any()
    found = Predictor(model, StainSettings("cpu", precision))(image)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found % step, 0)
    assert found.max() > 100 * step
    if precision == "bfloat16":
        assert step / 4 < np.abs(found - exact).mean()  # what rounding alone would do


@pytest.mark.parametrize(
    ("shape", "precision", "tile"),
    [
        ((256, 256), "float32", 1024),
        ((1040, 1388), "float32", 1388),
        ((1248, 1248), "float32", 1248),
        ((1249, 1248), "float32", 1024),
        ((100, 9000), "float32", 9000),
        ((2048, 2048), "float32", 1024),
        ((2048, 2048), "bfloat16", 2048),
        ((2160, 2560), "bfloat16", 2560),
        ((2500, 2500), "bfloat16", 1024),
    ],
)
def test_planes_are_not_cut_where_memory_and_a_second_suffice_unless_it_is_asked_for(
    shape: tuple[int, int], precision: Any, tile: int
) -> None:
    model = load_model()
    assert (1024 + 2 * model.geometry.margin) == 1248
    assert Predictor(model, StainSettings("cpu", precision)).tile_for(shape) == tile
    assert Predictor(model, StainSettings("cpu", precision, tile=512)).tile_for(shape) == 512


def test_numbers_that_float16_does_not_hold_are_an_error_and_float32_is_advised(
    random_generator: Callable[..., Generator],
) -> None:
    generator = random_generator(4, 2)
    with torch.no_grad():
        generator.encoders[0][1].weight *= 1e6
    huge = Model(load_model().card, generator)
    assert np.isfinite(Predictor(huge, FLOAT32)(window())).all()
    with pytest.raises(DeviceError, match=r"choose float32\.$"):
        Predictor(huge, StainSettings("cpu", "float16"))(window())


def test_float16_is_close_to_float32(tiny_model: Model) -> None:
    half, exact = (Predictor(tiny_model, StainSettings("cpu", name))(window()) for name in ("float16", "float32"))
    assert 0 < np.abs(half - exact).mean() < 2e-3  # ten bits, a few layers
