"""OpenVINO's stain is torch's."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import plan_tiles, stitched

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra napari-mitostain[openvino]")


def by_openvino(model: Model, precision: str = "float32") -> Predictor:
    return Predictor(model, StainSettings("cpu", precision, backend="openvino"))  # type: ignore[arg-type]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@needs_openvino
def test_float32_is_torch_s_whatever_the_shape(tiny_model: Model) -> None:
    predict, expected = by_openvino(tiny_model), Predictor(tiny_model, StainSettings("cpu", "float32"))
    for shape in [(16, 24), (3, 20, 36), (64, 64)]:
        windows = noise(*shape)
        before = windows.copy()
        # sums of up to 9 · 32 terms of a few units in another order, 6e-8 each, through some layers; slope 1/4
        np.testing.assert_allclose(predict(windows), expected(windows), rtol=0, atol=1e-4)
        np.testing.assert_array_equal(windows, before)


@needs_openvino
def test_bundled_generator_is_as_close_to_float32_as_with_torch() -> None:
    model, image = load_model(), noise(96, 128)
    exact = Predictor(model, StainSettings("cpu", "float32"))(image)
    np.testing.assert_allclose(by_openvino(model)(image), exact, rtol=0, atol=1e-4)
    torch_error = np.abs(Predictor(model, StainSettings("cpu", "bfloat16"))(image) - exact).mean()
    assert np.abs(by_openvino(model, "bfloat16")(image) - exact).mean() < 1.5 * torch_error


@needs_openvino
def test_tiles_cannot_be_seen(tiny_model: Model) -> None:
    predict, plane = by_openvino(tiny_model), noise(90, 71)
    whole, tiled = (stitched(plane, plan_tiles(plane.shape, tile, tiny_model.geometry), predict) for tile in (96, 24))
    assert whole.std() > 0.05
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4)


@needs_openvino
def test_a_stain_is_not_overwritten_by_the_next(tiny_model: Model) -> None:
    predict = by_openvino(tiny_model)
    first = predict(noise(16, 16))
    kept = first.copy()
    predict(-noise(16, 16))
    np.testing.assert_array_equal(first, kept)


def test_without_openvino_it_is_said_what_to_install(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # what importing it then finds
    with pytest.raises(DeviceError, match=r"^Expected OpenVINO .*; install napari-mitostain\[openvino\] .*\.$"):
        by_openvino(tiny_model)


def test_a_gpu_is_left_to_torch(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("napari_mitostain.model.predictor.choose_device", lambda _wanted: torch.device("meta"))
    monkeypatch.setattr(Model, "prepared", lambda model, _device, _dtype: model.generator)
    assert by_openvino(tiny_model).device.type == "meta"


@needs_openvino
def test_ctrl_c_is_survived_after_the_last_model_is_gone_elsewhere() -> None:
    script = """
import signal, threading
import numpy as np
import torch
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.openvino_generator import OpenVinoGenerator
models = [OpenVinoGenerator(Generator(2, 2), torch.float32)]
models[0](np.zeros((1, 1, 16, 16), np.float32))
thread = threading.Thread(target=models.clear)
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n")


@needs_openvino
def test_its_stains_are_rounded_as_others_are() -> None:
    image = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    for precision, is_rounded in (("bfloat16", True), ("float32", False)):
        assert (by_openvino(load_model(), precision)(image) % 2.0**-12 == 0).all() == is_rounded
