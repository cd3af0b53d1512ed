"""The blocks of a generator for a processor: oneDNN applies a convolution's ReLU, and sums two, as it computes.

As layers of their own, the ReLUs and the concatenations that decoders begin with only carry numbers through memory,
which takes a third of the time of the whole network.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from napari_mitostain.model.generator import Generator

_ONE, _NO_SCALARS = (1, 1), ()


def fused(generator: Generator) -> Generator:
    """Return a folded generator with fused blocks in the place of its own, for inference; itself where that fails.

    It fails with builds of torch, processors or types that lack the operations, which torch keeps for its compiler.

    Parameters
    ----------
    generator : Generator
        Folded, on a processor, of its final type, in channels-last layout.
    """
    result = copy.copy(generator)
    result._modules = dict(generator._modules)
    result.encoders = nn.ModuleList(FusedBlock(block) for block in generator.encoders)
    result.decoders = nn.ModuleList(FusedJoin(block) for block in generator.decoders)
    image = torch.zeros(1, 1, generator.stride, generator.stride, dtype=generator.head.weight.dtype)
    try:
        with torch.inference_mode():
            result(image.contiguous(memory_format=torch.channels_last))
    except (AttributeError, RuntimeError, TypeError):
        return generator
    return result


class FusedBlock(nn.Module):
    """What a folded `ConvBlock` computes."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.first, self.second = block[0], block[3]

    def forward(self, image: Tensor) -> Tensor:
        """Convolve twice, with ReLU: (B, C, H, W) to (B, C', H, W)."""
        inner = _convolved(image, self.first.weight, self.first.bias, "relu")
        return _convolved(inner, self.second.weight, self.second.bias, "relu")


class FusedJoin(nn.Module):
    """What a folded `JoinBlock` computes: a convolution of two images side by side is the sum of one of each."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        weight = block[0].weight  # (C, 2C, 3, 3)
        channels = weight.shape[1] // 2
        self.of_skip, self.of_finer = (
            nn.Parameter(part.contiguous(memory_format=torch.channels_last), requires_grad=False)
            for part in (weight[:, :channels], weight[:, channels:])
        )
        self.bias, self.second = block[0].bias, block[3]

    def forward(self, skip: Tensor, finer: Tensor) -> Tensor:
        """Decode (B, C, H, W) of the encoder beside as many channels from the level below."""
        inner = _added(_convolved(skip, self.of_skip, self.bias, "none"), finer, self.of_finer)
        return _convolved(inner, self.second.weight, self.second.bias, "relu")


def _convolved(image: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    """Convolve 3×3, then "relu" or "none"."""
    result: Tensor = torch.ops.mkldnn._convolution_pointwise(
        image, weight, bias, _ONE, _ONE, _ONE, 1, then, _NO_SCALARS, ""
    )
    return result


def _added(total: Tensor, image: Tensor, weight: Tensor) -> Tensor:
    """Convolve 3×3 and add to a total, in place, then ReLU."""
    result: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
        total, image, weight, None, _ONE, _ONE, _ONE, 1, "add", 1.0, "relu", _NO_SCALARS, ""
    )
    return result
