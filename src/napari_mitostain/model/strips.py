"""The generator level by level in strips: what lies between its layers stays in the processor's cache.

As a whole, a large image passes through memory with every layer, which takes as long as the arithmetic; a strip does
not. Each level is cut anew, so a strip needs no more of its surroundings than the convolutions of one block see. The
stain is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mitostain.model.generator import Generator

_BYTES = 2**24
"""Of a layer of a strip at full resolution; coarser levels have the same. Two of them fit into a cache of 32 MB, and
shorter strips compute more of what lies between them twice."""

_REACH = 2
"""Rows beyond a strip that its two 3×3 convolutions see."""


def stain_in_strips(generator: Generator, image: Tensor) -> Tensor:
    """Stain as ``generator(image)`` does, in evaluation mode and without gradient.

    Parameters
    ----------
    generator : Generator
    image : Tensor
        Scaled brightfield (1, 1, H, W).

    Returns
    -------
    Tensor
        Stain (1, 1, H, W) of float32 in [0, 1].
    """
    of_a_row = image.shape[-1] * generator.base_channels * image.element_size()
    rows = max(2, _BYTES // of_a_row // 2 * 2)
    return _level(generator, 0, image, rows, generator.intensity)


def _level(generator: Generator, level: int, image: Tensor, rows: int, finish: Callable[[Tensor], Tensor]) -> Tensor:
    """Run a level and those below it, as `UNet` does, and finish what comes out strip by strip."""
    height = image.shape[-2]
    if level == generator.depth or height <= rows:
        return finish(generator.from_level(level, image))
    strips = _cut(height, rows)
    encoded, pooled = _encoded(generator.encoders[level], image, strips)
    coarse = _level(generator, level + 1, pooled, rows, generator.reducers[-1 - level])
    finished = []
    for strip, skip in zip(strips, encoded, strict=True):
        # bilinear upsampling looks one coarse row further, and repeats the last one where it is cut
        start, stop = max(0, strip.top // 2 - 1), min(height // 2, strip.bottom // 2 + 1)
        finer = F.interpolate(coarse[:, :, start:stop], scale_factor=2, mode="bilinear", align_corners=False)
        finer = finer[:, :, strip.top - 2 * start : strip.bottom - 2 * start]
        decoded = generator.decoders[-1 - level](skip, finer)
        finished.append(finish(decoded[:, :, strip.own]))
    return torch.cat(finished, dim=2)


def _encoded(encoder: nn.Module, image: Tensor, strips: Sequence[_Strip]) -> tuple[list[Tensor], Tensor]:
    """Run a level's encoder block and the pooling after it.

    Returns
    -------
    encoded : list of Tensor
        Rows top to bottom of each strip (1, C, h, W), for the decoder.
    pooled : Tensor
        The whole level (1, C, H / 2, W / 2).
    """
    encoded, pooled = [], []
    for strip in strips:
        seen = _Strip.of(strip.top, strip.bottom, image.shape[-2])
        encoded.append(encoder(image[:, :, seen.top : seen.bottom])[:, :, seen.own])
        pooled.append(F.max_pool2d(encoded[-1][:, :, strip.own], 2))
    return encoded, torch.cat(pooled, dim=2)


@dataclass(frozen=True, slots=True)
class _Strip:
    """Rows `first` to `last` of an image, and `top` to `bottom` with what a block of convolutions sees beyond them."""

    first: int
    last: int
    top: int
    bottom: int

    @classmethod
    def of(cls, first: int, last: int, height: int) -> Self:
        return cls(first, last, max(0, first - _REACH), min(height, last + _REACH))

    @property
    def own(self) -> slice:
        """Where rows `first` to `last` lie in those from `top` to `bottom`."""
        return slice(self.first - self.top, self.last - self.top)


def _cut(height: int, rows: int) -> list[_Strip]:
    """Cut an even height into as few strips of at most that many rows as it takes, and into even ones."""
    even = -(-height // -(-height // rows) // 2) * 2
    return [_Strip.of(first, min(first + even, height), height) for first in range(0, height, even)]
