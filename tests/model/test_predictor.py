"""The predictor stains windows as the generator does, whatever their layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor

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
