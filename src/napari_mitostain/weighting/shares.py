"""How much of an image, of its weights or of a loss lies in each band."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.weighting.bands import Bands
from napari_mitostain.weighting.statistics import BLOCK

Shares = tuple[float, float, float]
"""Parts of a whole in bands 1 to 3, with the sum 1; all 0 where there is nothing to share out."""

BAND_NAMES = ("background", "dim structures", "bright structures")
"""What lies in bands 1 to 3 of a fluorescence image, for people."""


def band_numbers(image: NDArray[Any], edges: Bands) -> NDArray[np.uint8]:
    """Tell for each pixel the number of its band.

    Parameters
    ----------
    image : ndarray
        Target intensities, any shape and real data type.
    edges : Bands
        In the units of `image`.

    Returns
    -------
    ndarray of uint8
        1 to 3; 0 where the image is not finite.
    """
    first, second = (np.float64(edge) for edge in edges.edges[1:3])  # a number of Python's would be rounded to float32
    numbers = 1 + (image > first).astype(np.uint8) + (image > second)
    return np.where(np.isfinite(image), numbers, 0).astype(np.uint8)


def band_shares(numbers: NDArray[np.uint8], amount: NDArray[Any] | None = None) -> Shares:
    """Share an amount out to the bands it lies in.

    Parameters
    ----------
    numbers : ndarray of uint8
        See `band_numbers`.
    amount : ndarray, optional
        Not negative, of the same shape; by default each pixel counts 1.
    """
    if amount is None:
        sums = [float(np.count_nonzero(numbers == band)) for band in (1, 2, 3)]
    else:
        sums = _sums(numbers.reshape(-1), amount.reshape(-1))
    whole = sum(sums)
    first, second, third = (part / whole if whole > 0 else 0.0 for part in sums)
    return first, second, third


def _sums(numbers: NDArray[np.uint8], amount: NDArray[Any]) -> list[float]:
    """Add up what lies in bands 1 to 3, in float64 and block by block in the cache."""
    sums = [0.0, 0.0, 0.0]
    for start in range(0, numbers.size, BLOCK):
        part = slice(start, start + BLOCK)
        values = amount[part].astype(np.float64)
        for place in range(3):
            inside = (numbers[part] == place + 1).astype(np.float64)
            sums[place] += float(np.einsum("i,i->", values, inside))  # without BLAS threads, as in `statistics`
    return sums
