"""By how much fluorescence lies beside what the brightfield shows, from where the two correlate best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

Surface = NDArray[np.float64]
"""Correlation at shifts of -r to r rows and columns, (2r + 1, 2r + 1); none in the middle."""

FARTHEST = 48
"""Pixels of the farthest shift that is looked for, at most."""

_SHARE = 8
"""The farthest shift is at most this part of an image: beyond it the images share too little."""

_FINE, _COARSE = 1.0, 8.0
"""Only structures between these standard deviations in pixels are compared: no noise, no shading, no whole cells."""

_TEXTURE_PX = 5
"""Side of the square that the brightfield's local variance is taken over."""

_NEAR = 6
"""Pixels around a peak that belong to it."""

_HEIGHT, _LEAD = 5.0, 3.0
"""A peak tells a shift if it stands that many standard deviations above the rest of the surface, and that many above
the next peak. Of 111 aligned real frames taken one by one, those that would have told a shift of more than 5 pixels
led by no more than 2.2; of frames that did not belong together, one in 500 led by more than 3."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Where two images correlate best.

    Attributes
    ----------
    shift : tuple of int
        Rows and columns by which the fluorescence has to be moved to get there.
    is_clear : bool
        Whether that can be told from chance.
    """

    shift: tuple[int, int]
    is_clear: bool


def texture(brightfield: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where a scaled brightfield plane has structure: its local standard deviation, what mitochondria raise."""
    plane = brightfield.astype(np.float64)
    variance = uniform_filter(plane**2, _TEXTURE_PX) - uniform_filter(plane, _TEXTURE_PX) ** 2
    return gaussian_filter(np.sqrt(variance.clip(0)), 1.0).astype(np.float32)


def correlation(fixed: NDArray[Any], moved: NDArray[Any]) -> Surface:
    """Correlate two images of one size at all shifts, with the spectrum half whitened.

    Plain correlation is ruled by the largest structures, and phase correlation, which whitens fully, by the noise;
    dividing the cross-power by its square root is between both and was the surest on real pairs.

    Parameters
    ----------
    fixed, moved : ndarray
        Planes (Y, X).

    Returns
    -------
    ndarray of float64
        A `Surface`; sums of surfaces are surfaces of several frames.
    """
    height, width = fixed.shape
    padded = (2 * height, 2 * width)  # what leaves on one side does not come back on the other
    spectra = [np.fft.rfft2(_compared(image), padded) for image in (fixed, moved)]
    power = spectra[0] * spectra[1].conj()
    surface = np.fft.irfft2(power / np.sqrt(np.abs(power) + np.finfo(np.float64).tiny), padded)
    reach = min(FARTHEST, min(fixed.shape) // _SHARE)
    return np.asarray(np.roll(surface, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1])


def added(surfaces: Iterable[Surface]) -> Surface:
    """Add surfaces, as far as the smallest of them reaches."""
    parts = list(surfaces)
    reach = min(len(part) // 2 for part in parts)
    return np.asarray(np.sum([_middle(part, reach) for part in parts], axis=0))


def peak_of(surface: Surface) -> Peak:
    """Find the best shift, and tell whether it stands out."""
    reach = len(surface) // 2
    row, column = (int(at) for at in np.unravel_index(surface.argmax(), surface.shape))
    beside = np.ones(surface.shape, np.bool_)
    beside[max(0, row - _NEAR) : row + _NEAR + 1, max(0, column - _NEAR) : column + _NEAR + 1] = False
    rest, highest = surface[beside], surface[row, column]
    spread = float(rest.std()) if rest.size else 0.0
    is_clear = spread > 0 and bool(highest - rest.mean() >= _HEIGHT * spread and highest - rest.max() >= _LEAD * spread)
    return Peak((row - reach, column - reach), is_clear)


def _compared(image: NDArray[Any]) -> NDArray[np.float64]:
    """Keep the structures that are compared, and fade them out towards the edges."""
    plane = image.astype(np.float64)
    detail = gaussian_filter(plane, _FINE) - gaussian_filter(plane, _COARSE)
    window = np.sqrt(np.outer(*(np.hanning(length) for length in plane.shape)))
    return np.asarray((detail - detail.mean()) * window)


def _middle(surface: Surface, reach: int) -> Surface:
    middle = len(surface) // 2
    return np.asarray(surface[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1])
