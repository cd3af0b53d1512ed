"""`scale_brightfield` on a GPU, for many planes at once: it stains a plane in less time than a processor scales it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image.part_scaling import PlaneContrast
from napari_mitostain.image.scaling import (
    OUTLIER_PERCENTILES,
    OUTLIER_REACH,
    ROUGH_SAMPLE,
    SAMPLE,
    background_width,
    exact_plane,
    gaussian_spread,
    sampled_every,
)

_AT_WORK, _WAITING = 36, 4
"""Bytes a pixel takes while it is scaled, and afterwards."""


def memory_of(pixels: int, waiting: int) -> int:
    """Return the bytes that scaling takes at most, for so many pixels at a time and so many results that wait."""
    return pixels * (_AT_WORK + _WAITING * waiting)


def uploaded(planes: Sequence[NDArray[Any]], device: torch.device) -> Tensor:
    """Bring planes (Y, X) of one type and shape to a device as one tensor (B, Y, X).

    Whole numbers of 8 and 16 bits travel as they are; others would lose contrast in float32, and are brought to their
    own range before.
    """
    small = planes if travels_as_it_is(planes[0].dtype) else [exact_plane(plane) for plane in planes]
    is_cuda = device.type == "cuda"  # which fetches from pinned memory by itself
    native = torch.from_numpy(np.empty(0, small[0].dtype.newbyteorder("="))).dtype
    whole = torch.empty((len(small), *small[0].shape), dtype=native, pin_memory=is_cuda)
    for at, plane in zip(whole.numpy(), small, strict=True):
        np.copyto(at, plane)
    return whole.to(device, non_blocking=is_cuda)


def travels_as_it_is(dtype: np.dtype[Any]) -> bool:
    """Tell whether float32 holds every value of a type that is not a float itself."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def scale_planes(planes: Tensor, settings: ScalingSettings) -> tuple[Tensor, Tensor]:
    """Scale planes as `scale_brightfield` does, on their device; `whole_network` has the same in TorchScript.

    Parameters
    ----------
    planes : Tensor
        Brightfield (B, Y, X), finite.
    settings : ScalingSettings

    Returns
    -------
    scaled : Tensor
        (B, Y, X) float32.
    is_blank : Tensor
        (B,), whether a plane has no contrast and is all zero.
    """
    clipped = _without_outliers(planes.float())
    lowest, highest = torch.aminmax(clipped.flatten(1), dim=1)
    rounding = torch.finfo(torch.float32).eps * torch.maximum(-lowest, highest)
    detail = clipped - _background(clipped, background_width(settings.background_px))
    low, high = _percentiles(_sampled(detail, SAMPLE), settings.percentiles)
    contrast = (high - low) / gaussian_spread(settings)
    # percentiles miss structure in very few pixels; to ask whether they did would take as long as to measure it
    contrast = torch.where(contrast > 0, contrast, detail.std((1, 2), correction=0))
    is_blank = contrast <= rounding
    detail /= torch.where(is_blank, torch.inf, contrast)[:, None, None]
    return detail, is_blank


def detail_of_part(part: Tensor, contrast: PlaneContrast) -> Tensor:
    """Return what `PlaneContrast.detail` does of a part (Y, X) of a plane, on its device."""
    clipped = (part.float().clip(contrast.low, contrast.high) - contrast.offset)[None]
    detail: Tensor = clipped - _background(clipped, background_width(contrast.settings.background_px))
    return detail[0]


def _without_outliers(planes: Tensor) -> Tensor:
    low, high = _percentiles(_sampled(planes, ROUGH_SAMPLE), OUTLIER_PERCENTILES)
    reach = OUTLIER_REACH * (high - low)
    reach = torch.where(reach > 0, reach, torch.inf)
    return planes.clip((low - reach)[:, None, None], (high + reach)[:, None, None])


def _background(planes: Tensor, width: int) -> Tensor:
    """Average along rows three times, turn, and once more: (B, Y, X) to (B, Y, X)."""
    for _ in range(2):
        mirrored = _mirrored(planes.shape[-1], width, planes.device)
        for _ in range(3):
            planes = F.avg_pool2d(planes[..., mirrored], (1, width), stride=1)
        planes = planes.transpose(1, 2).contiguous()
    return planes


@cache
def _mirrored(length: int, width: int, device: torch.device) -> Tensor:
    """Return what a moving average sees: the pixels of a line, and its mirror image around it."""
    seen = np.arange(-(width // 2), length + width - width // 2 - 1) % (2 * length)
    return torch.from_numpy(np.minimum(seen, 2 * length - 1 - seen)).to(device)


def _sampled(planes: Tensor, side: int) -> Tensor:
    """Return the pixels that percentiles of planes are taken from, (B, N)."""
    rows, columns = (sampled_every(size, side) for size in planes.shape[1:])
    return planes[:, ::rows, ::columns].flatten(1)


def _percentiles(sample: Tensor, percents: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Interpolate between intensities in order as NumPy does, at two percentiles of each row of a sample (B, N).

    Only the ends are put in order, the lower one turned around: in one call, where both places lie as far from theirs.
    """
    last = sample.shape[1] - 1
    places = percents[0] / 100 * last, (1 - percents[1] / 100) * last  # each from its own end
    counts = [min(last, int(place) + 1) + 1 for place in places]
    if counts[0] == counts[1]:
        lower, upper = torch.topk(torch.cat([-sample, sample]), counts[0]).values.chunk(2)
    else:
        lower, upper = torch.topk(-sample, counts[0]).values, torch.topk(sample, counts[1]).values

    def at(ordered: Tensor, place: float) -> Tensor:
        first = int(place)
        here, further = ordered[:, first], ordered[:, min(first + 1, last)]
        return torch.lerp(here, further, place - first)

    return -at(lower, places[0]), at(upper, places[1])
