"""Intensity scaling over a whole plane, never per tile: brightfield contrast and fluorescence range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.special import ndtri

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import ImageError

SAMPLE = 512
"""Rows and columns that percentiles are taken from: enough for a stable estimate, quick on any plane."""

ROUGH_SAMPLE, OUTLIER_PERCENTILES, OUTLIER_REACH = 128, (1.0, 99.0), 4.0
"""Where outliers begin: at 4 times the contrast beyond it, some 20 standard deviations, no structure of a cell lies."""

_ROUNDING = 1e-3
"""By how much a stain may lie outside [0, 1]: what interpolation and half precision do."""

_LINES = 32
"""Rows filtered at a time."""


def scale_brightfield(image: NDArray[Any], settings: ScalingSettings = ScalingSettings()) -> NDArray[np.float32]:
    """Remove the background of a brightfield plane and bring its contrast to one.

    The background is the plane under three moving averages, which together come close to a Gaussian. The contrast
    is the distance of two percentiles, in the units in which a Gaussian image of standard deviation 1 has contrast 1.

    Parameters
    ----------
    image : ndarray
        Brightfield plane (Y, X), any real data type; pixels that are not finite count as the median of the others.
    settings : ScalingSettings

    Returns
    -------
    ndarray of float32
        Scaled plane (Y, X), zero mean and about unit contrast; all zero if the plane is constant.
    """
    plane = exact_plane(fill_non_finite(image))
    detail = plane - background(plane, settings.background_px)
    # percentiles miss structure in very few pixels
    contrast = contrast_of(_sampled(detail, SAMPLE), settings) or float(detail.std())
    rounding = np.finfo(np.float32).eps * float(np.abs(plane).max(initial=0))
    return np.zeros_like(detail) if contrast <= rounding else detail / np.float32(contrast)


def fill_non_finite(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image with the median of its finite pixels in place of NaN and infinity; itself if it has none."""
    if image.dtype.kind != "f" or (finite := np.isfinite(image)).all():
        return image
    return np.where(finite, image, np.median(image[finite]) if finite.any() else 0)


def relative_stain(stain: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Bring a stain to [0, 1]: integers span their type, floats must lie there but for rounding.

    Parameters
    ----------
    stain : ndarray
        Plane (Y, X); pixels that are not finite become 0.
    name : str
        Of its image, for the error's sentence.

    Raises
    ------
    ImageError
        If a float stain lies outside [0, 1].
    """
    if stain.dtype.kind in "ui":
        return (stain / np.float32(np.iinfo(stain.dtype).max)).clip(0, 1)
    values = np.where(np.isfinite(stain), stain, 0)
    low, high = float(values.min()), float(values.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ImageError(
            f"Expected a stain in [0, 1] for {name}, got {low:.4g} to {high:.4g}; divide it by what stands for 1."
        )
    return values.clip(0, 1).astype(np.float32)


def exact_plane(image: NDArray[Any]) -> NDArray[np.float32]:
    """Convert to float32, without outliers or losing contrast to a large offset or range; its unit is arbitrary."""
    if image.dtype.itemsize <= 2:
        return _without_outliers(image.astype(np.float32))
    wide = _without_outliers(image / (np.abs(image.astype(np.float64)).max() or 1.0))
    wide -= wide.min()
    return (wide / (wide.max() or 1.0)).astype(np.float32)


def _without_outliers(plane: NDArray[Any]) -> NDArray[Any]:
    """Clip a plane far beyond its contrast: the background would spread one hot pixel over all its surroundings."""
    return plane.clip(*outlier_limits(_sampled(plane, ROUGH_SAMPLE)))


def outlier_limits(sample: NDArray[Any]) -> tuple[float, float]:
    """Return the intensities beyond which a pixel is an outlier, from a sample of a plane; infinite if none is."""
    low, high = _percentiles(sample, OUTLIER_PERCENTILES)
    reach = OUTLIER_REACH * (high - low)
    return (low - reach, high + reach) if reach > 0 else (-np.inf, np.inf)


def contrast_of(sample: NDArray[np.float32], settings: ScalingSettings) -> float:
    """Return the distance of two percentiles of a plane without its background, in deviations of a Gaussian."""
    low, high = _percentiles(sample, settings.percentiles)
    return (high - low) / gaussian_spread(settings)


def gaussian_spread(settings: ScalingSettings) -> float:
    """Return the distance of the two percentiles in deviations, where intensities are a Gaussian's."""
    low, high = settings.percentiles
    return float(ndtri(high / 100) - ndtri(low / 100))


def _percentiles(sample: NDArray[Any], percents: tuple[float, float]) -> tuple[float, float]:
    """Interpolate between the intensities in order, as NumPy does, which takes four times as long to it."""
    ordered = np.sort(sample, axis=None)
    places = np.array(percents) / 100 * (ordered.size - 1)
    first = places.astype(int)
    below, above = (ordered[at].astype(np.float64) for at in (first, np.minimum(first + 1, ordered.size - 1)))
    low, high = below + (places - first) * (above - below)
    return float(low), float(high)


def background_width(sigma: float) -> int:
    """Return the width of the moving average, three of which have the variance sigma²."""
    width: int = round((4 * sigma**2 + 1) ** 0.5)
    return width


def background(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Average along rows, turn, and once more: a block of lines stays in the cache all the while."""
    width = background_width(sigma)
    for _ in range(2):
        turned, room = np.empty(plane.shape[::-1], np.float32), np.empty((_LINES, plane.shape[1]), np.float32)
        for start in range(0, len(plane), _LINES):
            lines = plane[start : start + _LINES]
            for _ in range(3):
                lines = uniform_filter1d(lines, width, output=room[: len(lines)], mode="reflect")
            turned[:, start : start + _LINES] = lines.T
        plane = turned
    return plane


def _sampled(plane: NDArray[Any], side: int) -> NDArray[Any]:
    rows, columns = (sampled_every(size, side) for size in plane.shape)
    return plane[::rows, ::columns]


def sampled_every(size: int, side: int) -> int:
    """Return which row or column of so many is in a sample of about a side."""
    return max(1, size // side)


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """The intensities that stand for 0 and 1 in a fluorescence target."""

    low: float
    high: float

    @classmethod
    def fit(cls, image: NDArray[Any]) -> Self:
        """Find the range of a target image.

        Parameters
        ----------
        image : ndarray
            uint8 keeps its full range 0..255, as the paper does; a float image within [0, 1] is left as it is;
            anything else spans from its minimum to its 99.9th percentile.

        Returns
        -------
        IntensityRange
        """
        if image.dtype == np.uint8:
            return cls(0.0, 255.0)
        finite = image[np.isfinite(image)]
        if finite.size == 0:
            return cls(0.0, 1.0)
        low, high = float(finite.min()), float(np.percentile(finite, 99.9))
        if image.dtype.kind == "f" and low >= 0 and finite.max() <= 1:
            return cls(0.0, 1.0)
        return cls(low, high if high > low else low + 1)

    def apply(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Map intensities to [0, 1], clipped."""
        scaled = (image.astype(np.float64) - self.low) / (self.high - self.low)
        return scaled.clip(0, 1).astype(np.float32)
