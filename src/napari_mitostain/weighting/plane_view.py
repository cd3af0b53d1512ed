"""All that is shown of one plane: its weights, the lines of its thresholds, its histogram."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.bands import Bands, bands
from napari_mitostain.weighting.shares import Shares, band_numbers, band_shares
from napari_mitostain.weighting.statistics import Statistics, statistics
from napari_mitostain.weighting.weight_map import tn_weights

_BINS = 256

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Histogram:
    """How often each intensity comes.

    Attributes
    ----------
    counts : ndarray of int
        Pixels in each bin.
    edges : ndarray of float
        Of the bins, one more than counts.
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True)
class PlaneView:
    """A plane as the loss weighs it.

    Attributes
    ----------
    weights : ndarray of float32
        See `tn_weights` (Y, X).
    numbers : ndarray of uint8
        Number of each pixel's band (Y, X), see `band_numbers`.
    contours : ndarray of uint8
        1 on the inner border of what is brighter than M1, 2 on that of what is brighter than M2, else 0 (Y, X).
    measured : Statistics
        Of the patch looked at, of the plane, or of the stack.
    bands : Bands
        Placed by `measured`.
    pixels, weight : tuple of float
        Parts of the plane's pixels and of its weights in bands 1 to 3.
    """

    weights: NDArray[np.float32]
    numbers: NDArray[np.uint8]
    contours: NDArray[np.uint8]
    measured: Statistics
    bands: Bands
    pixels: Shares
    weight: Shares


def view_plane(
    image: NDArray[Any],
    settings: WeightSettings = WeightSettings(),
    measured: Statistics | None = None,
    patch: int = 256,
    at: tuple[int, int] = (0, 0),
) -> PlaneView:
    """Weigh a plane for looking at it.

    Parameters
    ----------
    image : ndarray
        Target plane (Y, X), any real data type.
    settings : WeightSettings
        With scope "patch" the plane is cut into patches, each weighed by itself, as patches are in training.
    measured : Statistics, optional
        Of the stack for scope "stack", or of the plane if they are known; measured here otherwise.
    patch : int
        Side of a patch in pixels.
    at : tuple of int
        Row and column that is looked at: the patch around it is the one that is reported.
    """
    weights, numbers = np.empty(image.shape, np.float32), np.empty(image.shape, np.uint8)
    reported = measured
    at = min(max(0, at[0]), image.shape[0] - 1), min(max(0, at[1]), image.shape[1] - 1)
    for box in patches(image.shape, patch) if settings.scope == "patch" else [(slice(None), slice(None))]:
        own = statistics(image[box]) if measured is None or settings.scope == "patch" else measured
        weights[box] = tn_weights(image[box], settings, own)
        numbers[box] = band_numbers(image[box], bands(own, settings))
        if settings.scope != "patch" or _holds(box, at):
            reported = own
    assert reported is not None  # some patch holds the place looked at
    return PlaneView(
        weights,
        numbers,
        band_contours(numbers),
        reported,
        bands(reported, settings),
        band_shares(numbers),
        band_shares(numbers, weights),
    )


def patches(shape: tuple[int, ...], side: int) -> Iterator[Box]:
    """Cut a plane (Y, X) into patches; those at its end may be smaller."""
    height, width = shape
    for row in range(0, height, side):
        for column in range(0, width, side):
            yield slice(row, min(row + side, height)), slice(column, min(column + side, width))


def _holds(box: Box, at: tuple[int, int]) -> bool:
    return all(side.start <= place < side.stop for side, place in zip(box, at, strict=True))


def band_contours(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the thresholds: 1 where a pixel above M1 touches one that is not, 2 the same for M2.

    Parameters
    ----------
    numbers : ndarray of uint8
        Numbers of the bands (Y, X), see `band_numbers`.
    """
    around = np.pad(numbers, 1, mode="edge")
    lowest = np.minimum(
        np.minimum(around[:-2, 1:-1], around[2:, 1:-1]), np.minimum(around[1:-1, :-2], around[1:-1, 2:])
    )
    contours = ((numbers >= 2) & (lowest < 2)).astype(np.uint8)
    contours[(numbers == 3) & (lowest < 3)] = 2
    return contours


def histogram(image: NDArray[Any], measured: Statistics) -> Histogram:
    """Count the finite intensities of an image.

    Parameters
    ----------
    image : ndarray
    measured : Statistics
        Of this image: gives the range. Whole numbers get bins of whole numbers.
    """
    low, high, bins = measured.minimum, measured.maximum, _BINS
    if image.dtype.kind in "uib":
        step = max(1, -(-int(high - low + 1) // _BINS))
        bins = -(-int(high - low + 1) // step)
        low, high = low - 0.5, low - 0.5 + bins * step
    elif high <= low:
        high = low + 1
    finite = image[np.isfinite(image)] if image.dtype.kind == "f" else image
    return Histogram(*np.histogram(finite, bins, (low, high)))
