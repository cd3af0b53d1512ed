"""Fused blocks compute what the blocks in whose place they stand compute, or stay away."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model import fused as fused_module
from napari_mitostain.model.fused import FusedBlock, fused
from napari_mitostain.model.generator import Generator, folded
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.model.unet import channels_last

MakeGenerator = Callable[..., Generator]


def ready(generator: Generator, dtype: torch.dtype = torch.float32) -> Generator:
    network = folded(generator).to(dtype)
    channels_last(network)
    return network


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape).to(dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("width", "depth"), [(2, 1), (4, 2), (3, 3), (16, 2)])
@pytest.mark.parametrize("batch", [1, 3])
def test_stain_is_that_of_the_plain_blocks(random_generator: MakeGenerator, width: int, depth: int, batch: int) -> None:
    plain = ready(random_generator(width, depth))
    image = noise(batch, 1, 6 * plain.stride, 5 * plain.stride)
    with torch.inference_mode():
        stain = fused(plain)(image)
        # sums of up to 9 · 64 terms of a few units in another order, 6e-8 each, once a layer; slope 1/4 at the end
        torch.testing.assert_close(stain, plain(image), rtol=0, atol=1e-4)
    assert stain.std() > 0.05


def test_bfloat16_is_as_close_to_float32_as_with_plain_blocks(random_generator: MakeGenerator) -> None:
    generator = random_generator(16, 2)
    plain = ready(generator, torch.bfloat16)
    image = noise(1, 1, 64, 96, dtype=torch.bfloat16)
    with torch.inference_mode():
        exact = generator(image.float())
        errors = [float((network(image) - exact).abs().mean()) for network in (plain, fused(plain))]
    assert 0 < errors[1] < 1.5 * errors[0]  # one more rounding in each decoder, one fewer in each ReLU


def test_plain_generator_is_left_as_it_is(random_generator: MakeGenerator) -> None:
    plain = ready(random_generator(4, 2))
    before, blocks = copy.deepcopy(plain.state_dict()), list(plain.encoders)
    result = fused(plain)
    assert result is not plain
    assert list(plain.encoders) == blocks
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("error", [AttributeError("no such operation"), RuntimeError("not this type"), TypeError("s")])
def test_where_torch_cannot_fuse_the_plain_generator_stains(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_arguments: object) -> Tensor:
        raise error

    monkeypatch.setattr(fused_module.OneDnn, "convolved", fail)
    predict = Predictor(tiny_model, StainSettings("cpu", "float32"))
    assert not [module for module in predict.network.modules() if isinstance(module, FusedBlock)]
    assert predict(np.random.default_rng(0).normal(size=(16, 16))).std() > 0


def test_lack_of_memory_is_no_lack_of_operations(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as short:
        short.setattr(fused_module.OneDnn, "convolved", fail)
        with pytest.raises(DeviceError, match="out of memory"):
            Predictor(tiny_model, StainSettings("cpu", "float32"))
    network = Predictor(tiny_model, StainSettings("cpu", "float32")).network
    is_fused = any(isinstance(module, FusedBlock) for module in network.modules())
    assert is_fused == torch.backends.mkldnn.is_available()


def test_kernels_of_the_device_are_taken(random_generator: MakeGenerator) -> None:
    elsewhere = ready(random_generator(4, 2)).to("meta")
    assert fused(elsewhere) is elsewhere


def test_processors_get_fused_blocks(tiny_model: Model) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this build of torch has no oneDNN")
    network = Predictor(tiny_model, StainSettings("cpu", "float32")).network
    assert len([module for module in network.modules() if isinstance(module, FusedBlock)]) == 3
