"""Scale a part of a brightfield plane alone: what is taken from the whole plane is estimated from blocks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image.plane import Box
from napari_mitostain.image.scaling import background, background_width, contrast_of, outlier_limits, sampled_every


@dataclass(frozen=True, slots=True)
class PlaneContrast:
    """What `scale_brightfield` takes from the whole of a plane.

    Attributes
    ----------
    low, high : float
        Intensities beyond which a pixel is an outlier, and clipped.
    offset : float
        An intensity of the plane; taken off first, so that float32 holds the contrast however large it is.
    contrast : float
        What the detail is divided by, in intensities; 0 for a plane without any.
    """

    low: float
    high: float
    offset: float
    contrast: float

    @classmethod
    def limits(cls, sample: NDArray[Any]) -> Self:
        """Begin with a sample of the plane's intensities: where outliers begin, with a contrast of one for now."""
        return cls(*outlier_limits(sample), float(np.median(sample)), 1.0)

    @classmethod
    def estimate(cls, blocks: Sequence[tuple[NDArray[Any], Box]], settings: ScalingSettings) -> Self:
        """Estimate it from blocks of a plane.

        Parameters
        ----------
        blocks : sequence of tuple
            Blocks of the plane (Y, X) without pixels that are not finite, and where in each its own pixels lie: those
            around them, of `background_reach`, are for the background only.
        settings : ScalingSettings
        """
        limits = cls.limits(np.concatenate([block[inner].ravel() for block, inner in blocks]))
        return limits.measured([limits.scale(block, settings)[inner] for block, inner in blocks], settings)

    def measured(self, details: Sequence[NDArray[np.float32]], settings: ScalingSettings) -> Self:
        """Return it with the contrast that a sample of the plane without its background has."""
        sample = np.concatenate([detail.ravel() for detail in details])
        contrast = contrast_of(sample, settings) or float(sample.std())
        largest = max(abs(value) for value in (self.low, self.high, self.offset) if np.isfinite(value))
        rounding = float(np.finfo(np.float32).eps) * largest
        return replace(self, contrast=contrast if contrast > rounding else 0.0)

    def scale(self, part: NDArray[Any], settings: ScalingSettings) -> NDArray[np.float32]:
        """Scale a part of the plane (Y, X); what lies within `background_reach` of a cut differs from the whole."""
        if self.contrast == 0:
            return np.zeros(part.shape, np.float32)
        wide = part.astype(np.float32 if part.dtype.itemsize <= 2 else np.float64)
        plane = (wide.clip(self.low, self.high) - self.offset).astype(np.float32)
        return (plane - background(plane, settings.background_px)) / np.float32(self.contrast)


def background_reach(settings: ScalingSettings) -> int:
    """Return how many pixels around it the background of a pixel depends on."""
    return 3 * (background_width(settings.background_px) // 2 + 1)


def sample_of(part: NDArray[Any], box: Box, shape: tuple[int, int], side: int) -> NDArray[Any]:
    """Return those pixels of a box of a plane that are in a sample of about a side of the whole plane, flat."""
    steps = [sampled_every(length, side) for length in shape]
    rows, columns = (slice(-of.start % step, None, step) for of, step in zip(box, steps, strict=True))
    return part[rows, columns].flatten()
