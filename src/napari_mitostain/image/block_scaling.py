"""`scale_brightfield` for a plane that is too large for memory: measured and scaled block by block."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image.part_scaling import background_reach, sample_of
from napari_mitostain.image.plane import Box, PlaneIndex, Stack
from napari_mitostain.image.scaling import ROUGH_SAMPLE, SAMPLE, background, contrast_of, outlier_limits
from napari_mitostain.image.units import inside, widened

_ROWS = 256
"""Rows brought to float32 at a time."""


@dataclass(frozen=True, slots=True)
class BlockScaling:
    """How the blocks of one plane are scaled; made by `measure_plane`.

    Attributes
    ----------
    settings : ScalingSettings
    low, high : float
        Intensities that lie beyond are outliers, and count as these.
    median : float
        What stands in for pixels that are not finite; of a sample of the plane.
    contrast : float
        Of the plane without its background, in parts of high - low; 0 for a constant plane.
    has_holes : bool
        Whether pixels are not finite.
    """

    settings: ScalingSettings
    low: float
    high: float
    median: float = 0.0
    contrast: float = 0.0
    has_holes: bool = False

    @property
    def reach(self) -> int:
        """Pixels around a block that its background depends on."""
        return background_reach(self.settings)

    def detail(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return an image without its background, in parts of high - low; wrong within `reach` of where it is cut."""
        spread = np.empty(image.shape, np.float32)
        for start in range(0, len(image), _ROWS):
            rows = image[start : start + _ROWS].astype(np.float64)
            rows = np.where(np.isfinite(rows), rows, self.median)
            spread[start : start + _ROWS] = (rows.clip(self.low, self.high) - self.low) / (self.high - self.low)
        spread -= background(spread, self.settings.background_px)
        return spread

    def read(self, stack: Stack, index: PlaneIndex, box: Box) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Read a box of the plane, scaled as `scale_brightfield` would, and the pixels that it depends on."""
        around = widened(box, self.reach, stack.plane_shape)
        pixels = stack.read(index, around)
        detail = self.detail(pixels)[inside(box, around)]
        return detail / np.float32(self.contrast) if self.contrast else np.zeros_like(detail), pixels


def measure_plane(
    stack: Stack, index: PlaneIndex, boxes: Sequence[Box], settings: ScalingSettings
) -> Generator[int, None, BlockScaling]:
    """Measure a plane by its boxes, which cover it once; reads it twice.

    The pixels that percentiles are taken from are those of `scale_brightfield`, so the scaling is the same but for
    rounding.

    Yields
    ------
    int
        Number of boxes done, of twice as many.

    Returns
    -------
    BlockScaling
    """
    rough, low, high, holes = [], np.inf, -np.inf, 0
    for done, box in enumerate(boxes, start=1):
        pixels = stack.read(index, box)
        rough.append(sample_of(pixels, box, stack.plane_shape, ROUGH_SAMPLE))
        finite = pixels if pixels.dtype.kind != "f" else pixels[np.isfinite(pixels)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        holes += pixels.size - finite.size
        yield done
    if not low < high:
        return BlockScaling(settings, 0.0, 1.0, has_holes=holes > 0)
    found = replace(_limits(np.concatenate(rough).astype(np.float64), low, high, settings), has_holes=holes > 0)
    fine = []
    for done, box in enumerate(boxes, start=len(boxes) + 1):
        around = widened(box, found.reach, stack.plane_shape)
        detail = found.detail(stack.read(index, around))[inside(box, around)]
        fine.append(sample_of(detail, box, stack.plane_shape, SAMPLE))
        yield done
    return replace(found, contrast=_contrast(np.concatenate(fine), settings))


def _contrast(sample: NDArray[np.float32], settings: ScalingSettings) -> float:
    contrast = contrast_of(sample, settings) or float(sample.std())
    return contrast if contrast > np.finfo(np.float32).eps else 0.0


def _limits(sample: NDArray[np.float64], low: float, high: float, settings: ScalingSettings) -> BlockScaling:
    """Place the limits beyond which an intensity is an outlier, as `scale_brightfield` does."""
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return BlockScaling(settings, low, high, low)
    median = float(np.median(finite))
    first, last = outlier_limits(np.where(np.isfinite(sample), sample, median))
    return BlockScaling(settings, max(low, first), min(high, last), median)
