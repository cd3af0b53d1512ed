"""`scale_brightfield` for a part of a plane: what it takes from the whole plane is measured or estimated beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image.plane import Box
from napari_mitostain.image.scaling import (
    ROUGH_SAMPLE,
    SAMPLE,
    background,
    background_width,
    contrast_of,
    outlier_limits,
    sampled_every,
)
from napari_mitostain.image.units import inside, widened

_ROWS = 256
"""Rows brought to float32 at a time."""


@dataclass(frozen=True, slots=True)
class PlaneContrast:
    """How all parts of one plane are scaled.

    Attributes
    ----------
    settings : ScalingSettings
    low, high : float
        Intensities beyond which a pixel is an outlier, and clipped.
    offset : float
        The median of a sample. It is taken off first, so that float32 holds the contrast however large it is, and
        stands in for pixels that are not finite.
    contrast : float
        What the detail is divided by, in intensities; 0 for a plane without any.
    has_holes : bool
        Whether pixels are known not to be finite.
    """

    settings: ScalingSettings
    low: float
    high: float
    offset: float
    contrast: float = 0.0
    has_holes: bool = False

    @classmethod
    def limits(cls, sample: NDArray[Any], settings: ScalingSettings) -> Self:
        """Begin with a sample of the plane's intensities: where outliers begin, without a contrast for now."""
        finite = np.isfinite(sample)
        offset = float(np.median(sample[finite])) if finite.any() else 0.0
        return cls(settings, *outlier_limits(np.where(finite, sample, offset)), offset)

    @classmethod
    def estimate(cls, blocks: Sequence[tuple[NDArray[Any], Box]], settings: ScalingSettings) -> Self:
        """Estimate it from blocks of a plane.

        Parameters
        ----------
        blocks : sequence of tuple
            Blocks of the plane (Y, X), and where in each its own pixels lie: those around them, within `reach`, are for
            the background only.
        settings : ScalingSettings
        """
        limits = cls.limits(np.concatenate([block[inner].ravel() for block, inner in blocks]), settings)
        return limits.measured(np.concatenate([limits.detail(block)[inner].ravel() for block, inner in blocks]))

    @property
    def reach(self) -> int:
        """Pixels around a part that its background depends on."""
        return background_reach(self.settings)

    def measured(self, sample: NDArray[np.float32]) -> Self:
        """Return it with the contrast that a sample of the plane without its background has."""
        contrast = contrast_of(sample, self.settings) or float(sample.std())
        largest = max(abs(value) for value in (self.low, self.high, self.offset) if np.isfinite(value))
        rounding = float(np.finfo(np.float32).eps) * largest
        return replace(self, contrast=contrast if contrast > rounding else 0.0)

    def detail(self, part: NDArray[Any]) -> NDArray[np.float32]:
        """Return a part (Y, X) without its background, in intensities; wrong within `reach` of where it is cut."""
        plane = np.empty(part.shape, np.float32)
        wide = np.float32 if part.dtype.itemsize <= 2 else np.float64
        for start in range(0, len(part), _ROWS):
            rows = part[start : start + _ROWS].astype(wide)
            rows = np.where(np.isfinite(rows), rows, self.offset) if part.dtype.kind == "f" else rows
            plane[start : start + _ROWS] = rows.clip(self.low, self.high) - self.offset
        plane -= background(plane, self.settings.background_px)
        return plane

    def scale(self, part: NDArray[Any]) -> NDArray[np.float32]:
        """Scale a part of the plane (Y, X); what lies within `reach` of a cut differs from the whole."""
        return self.detail(part) / np.float32(self.contrast) if self.contrast else np.zeros(part.shape, np.float32)


def measure_plane(
    read: Callable[[Box], NDArray[Any]],
    shape: tuple[int, int],
    boxes: Sequence[Box],
    settings: ScalingSettings,
    detail: Callable[[PlaneContrast, NDArray[Any], Box], NDArray[np.float32]] | None = None,
    each: Callable[[Callable[[Box], Any], Iterable[Box]], Iterable[Any]] = map,
) -> Iterator[PlaneContrast | None]:
    """Measure a plane box by box.

    The pixels that percentiles are taken from are those of `scale_brightfield`, so the scaling is the same but for
    rounding.

    Parameters
    ----------
    read : callable
        From a box of the plane to its pixels.
    shape : tuple of int
        Height and width of the plane.
    boxes : sequence of tuple of slice
        They cover the plane once; each is read twice.
    settings : ScalingSettings
    detail : callable, optional
        From a contrast, a part of the plane and where to look in it, to these pixels of `PlaneContrast.detail`.
    each : callable
        What goes through boxes as `map` does, in the same order.

    Yields
    ------
    PlaneContrast or None
        None after each reading; the last that comes is how the plane is scaled.
    """

    def intensities(box: Box) -> tuple[NDArray[Any], bool]:
        pixels = read(box)
        has_holes = pixels.dtype.kind == "f" and not bool(np.isfinite(pixels).all())
        return pixels[sampled(box, box, shape, ROUGH_SAMPLE)].flatten(), has_holes

    def details(box: Box) -> NDArray[np.float32]:
        around = widened(box, limits.reach, shape)
        part, where = read(around), sampled(box, around, shape, SAMPLE)
        return (limits.detail(part)[where] if detail is None else detail(limits, part, where)).flatten()

    rough, fine = [], []
    for found in each(intensities, boxes):
        rough.append(found)
        yield None
    limits = PlaneContrast.limits(np.concatenate([sample for sample, _ in rough]), settings)
    for sample in each(details, boxes):
        fine.append(sample)
        yield None
    yield replace(limits.measured(np.concatenate(fine)), has_holes=any(has_holes for _, has_holes in rough))


def background_reach(settings: ScalingSettings) -> int:
    """Return how many pixels around it the background of a pixel depends on."""
    return 3 * (background_width(settings.background_px) // 2 + 1)


def sampled(box: Box, around: Box, shape: tuple[int, int], side: int) -> Box:
    """Return where in a larger box those pixels of a box lie that are in a sample of about a side of the plane."""
    steps = [sampled_every(length, side) for length in shape]
    rows, columns = (
        slice(own.start + -of.start % step, own.stop, step)
        for of, own, step in zip(box, inside(box, around), steps, strict=True)
    )
    return rows, columns
