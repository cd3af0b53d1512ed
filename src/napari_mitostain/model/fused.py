"""The blocks of a generator for inference: oneDNN and cuDNN apply a convolution's ReLU, and sum two, as they compute.

As layers of their own, the ReLUs and the concatenations that decoders begin with only carry numbers through memory,
which takes a third of the time of the whole network.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mitostain.model.device import is_out_of_memory
from napari_mitostain.model.generator import Generator

_ONE, _NO_SCALARS = (1, 1), ()


class Kernels(Protocol):
    """The two convolutions of 3×3 that a library offers."""

    def convolved(self, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Convolve, then ReLU."""
        ...

    def joined(self, skip: Tensor, finer: Tensor, of_skip: Tensor, of_finer: Tensor, bias: Tensor) -> Tensor:
        """Convolve two images, each with its weights, sum them, then ReLU."""
        ...


class OneDnn:
    """Of oneDNN, for processors."""

    def convolved(self, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: D102
        return self._convolved(image, weight, bias, "relu")

    def joined(self, skip: Tensor, finer: Tensor, of_skip: Tensor, of_finer: Tensor, bias: Tensor) -> Tensor:  # noqa: D102
        total = self._convolved(skip, of_skip, bias, "none")
        result: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            total, finer, of_finer, None, _ONE, _ONE, _ONE, 1, "add", 1.0, "relu", _NO_SCALARS, ""
        )
        return result

    def _convolved(self, image: Tensor, weight: Tensor, bias: Tensor, then: str) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            image, weight, bias, _ONE, _ONE, _ONE, 1, then, _NO_SCALARS, ""
        )
        return result


class CuDnn:
    """Of cuDNN, for CUDA GPUs."""

    def convolved(self, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: D102
        return torch.cudnn_convolution_relu(image, weight, bias, _ONE, _ONE, _ONE, 1)

    def joined(self, skip: Tensor, finer: Tensor, of_skip: Tensor, of_finer: Tensor, bias: Tensor) -> Tensor:  # noqa: D102
        total = F.conv2d(skip, of_skip, padding=1)
        return torch.cudnn_convolution_add_relu(finer, of_finer, total, 1.0, bias, _ONE, _ONE, _ONE, 1)


KERNELS: Mapping[str, Kernels] = MappingProxyType({"cpu": OneDnn(), "cuda": CuDnn()})
"""By the type of a device."""


def fused(generator: Generator) -> Generator:
    """Return a folded generator with fused blocks in the place of its own, for inference; itself where that fails.

    It fails with builds of torch, devices or types that lack the operations, which torch keeps for its compiler.

    Parameters
    ----------
    generator : Generator
        Folded, on its device, of its final type, in channels-last layout.
    """
    weight = generator.head.weight
    kernels = KERNELS.get(weight.device.type)
    if kernels is None:
        return generator
    result = copy.copy(generator)
    result._modules = dict(generator._modules)
    result.encoders = nn.ModuleList(FusedBlock(block, kernels) for block in generator.encoders)
    result.decoders = nn.ModuleList(FusedJoin(block, kernels) for block in generator.decoders)
    image = torch.zeros(1, 1, generator.stride, generator.stride, dtype=weight.dtype, device=weight.device)
    try:
        with torch.inference_mode():
            result(image.contiguous(memory_format=torch.channels_last))
    except (AttributeError, RuntimeError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        return generator
    return result


class FusedBlock(nn.Module):
    """What a folded `ConvBlock` computes."""

    def __init__(self, block: Any, kernels: Kernels) -> None:
        super().__init__()
        self.first, self.second, self._kernels = block[0], block[3], kernels

    def forward(self, image: Tensor) -> Tensor:
        """Convolve twice, with ReLU: (B, C, H, W) to (B, C', H, W)."""
        inner = self._kernels.convolved(image, self.first.weight, self.first.bias)
        return self._kernels.convolved(inner, self.second.weight, self.second.bias)


class FusedJoin(nn.Module):
    """What a folded `JoinBlock` computes: a convolution of two images side by side is the sum of one of each."""

    def __init__(self, block: Any, kernels: Kernels) -> None:
        super().__init__()
        weight = block[0].weight  # (C, 2C, 3, 3)
        channels = weight.shape[1] // 2
        self.of_skip, self.of_finer = (
            nn.Parameter(part.contiguous(memory_format=torch.channels_last), requires_grad=False)
            for part in (weight[:, :channels], weight[:, channels:])
        )
        self.bias, self.second, self._kernels = block[0].bias, block[3], kernels

    def forward(self, skip: Tensor, finer: Tensor) -> Tensor:
        """Decode (B, C, H, W) of the encoder beside as many channels from the level below."""
        inner = self._kernels.joined(skip, finer, self.of_skip, self.of_finer, self.bias)
        return self._kernels.convolved(inner, self.second.weight, self.second.bias)
