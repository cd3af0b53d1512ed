"""Mean, standard deviation, minimum and maximum of a target image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, hypot, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the bands are computed from.

    Each value is a number, or a tensor of shape ``(B, 1, 1, 1)`` with one value for each sample of a batch; `count` is
    of the finite pixels.
    """

    count: Any
    minimum: Any
    mean: Any
    std: Any
    maximum: Any


_NOTHING = Statistics(0, 0.0, 0.0, 0.0, 0.0)

BLOCK = 2**16
"""Pixels worked on at a time: few enough for the processor's cache, enough that Python does not count."""

_SQUARABLE = 1e-140, 1e140
"""Contrasts whose squares neither vanish nor overflow."""


def statistics(image: NDArray[Any]) -> Statistics:
    """Measure the finite pixels of an image, in float64, in one pass, and free of any common offset.

    Parameters
    ----------
    image : ndarray
        Target intensities, any shape and real data type.

    Returns
    -------
    Statistics
        Floats; `std` is the population standard deviation. All zero where no pixel is finite.
    """
    pixels = np.ascontiguousarray(image).reshape(-1)
    scratch = np.empty(min(BLOCK, pixels.size))
    return merged([_of_block(pixels[start : start + BLOCK], scratch) for start in range(0, pixels.size, BLOCK)])


def _of_block(block: NDArray[Any], scratch: NDArray[np.float64]) -> Statistics:
    low, high = float(block.min()), float(block.max())
    if not (isfinite(low) and isfinite(high)):
        block = block[np.isfinite(block)]
        if block.size == 0:
            return _NOTHING
        low, high = float(block.min()), float(block.max())
    above = scratch[: block.size]
    np.copyto(above, block)
    above -= low  # an offset of any size leaves no rounding in the variance
    unit = 2.0 ** (frexp(high - low)[1] - 1)
    if not _SQUARABLE[0] < unit < _SQUARABLE[1]:
        above /= unit  # a power of two is exact
    else:
        unit = 1.0
    # Not by `@`: BLAS would share so little work out to threads, and wait for them where a run keeps the cores busy.
    mean = float(np.einsum("i->", above)) / above.size
    variance = float(np.einsum("i,i->", above, above)) / above.size - mean**2  # the minimum is a pixel: mean² ≤ n · σ²
    return Statistics(above.size, low, low + unit * mean, unit * sqrt(max(0.0, variance)), high)


def merged(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of several images taken together, such as the planes of a stack.

    Parameters
    ----------
    parts : sequence of Statistics
        Floats; those of images without a finite pixel count nothing.
    """
    parts = [part for part in parts if part.count]
    if not parts:
        return _NOTHING
    count = sum(part.count for part in parts)
    minimum = min(part.minimum for part in parts)
    shares = [part.count / count for part in parts]
    mean_above = sum(share * (part.mean - minimum) for part, share in zip(parts, shares, strict=True))
    std = hypot(  # within the parts and between them; it squares without overflow
        *(part.std * sqrt(share) for part, share in zip(parts, shares, strict=True)),
        *((part.mean - minimum - mean_above) * sqrt(share) for part, share in zip(parts, shares, strict=True)),
    )
    return Statistics(count, minimum, minimum + mean_above, std, max(part.maximum for part in parts))
