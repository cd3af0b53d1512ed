"""Mean, standard deviation, minimum and maximum of a target image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, hypot, sqrt
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


def statistics(image: NDArray[Any]) -> Statistics:
    """Measure the finite pixels of an image, in float64 and free of any common offset.

    Parameters
    ----------
    image : ndarray
        Target intensities, any shape and real data type.

    Returns
    -------
    Statistics
        Floats; `std` is the population standard deviation. All zero where no pixel is finite.
    """
    finite = image if image.dtype.kind in "uib" else image[np.isfinite(image)]
    if finite.size == 0:
        return Statistics(0, 0.0, 0.0, 0.0, 0.0)
    minimum = float(finite.min())
    above = finite.astype(np.float64) - minimum  # an offset of any size leaves no rounding in the variance
    unit = 2.0 ** (frexp(above.max())[1] - 1)  # a power of two is exact, and no square overflows
    above /= unit
    mean, std = unit * float(above.mean()), unit * float(above.std())
    return Statistics(finite.size, minimum, minimum + mean, std, float(finite.max()))


def merged(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of several images taken together, such as the planes of a stack.

    Parameters
    ----------
    parts : sequence of Statistics
        Floats; those of images without a finite pixel count nothing.
    """
    parts = [part for part in parts if part.count]
    if not parts:
        return Statistics(0, 0.0, 0.0, 0.0, 0.0)
    count = sum(part.count for part in parts)
    minimum = min(part.minimum for part in parts)
    shares = [part.count / count for part in parts]
    mean_above = sum(share * (part.mean - minimum) for part, share in zip(parts, shares, strict=True))
    std = hypot(  # within the parts and between them; it squares without overflow
        *(part.std * sqrt(share) for part, share in zip(parts, shares, strict=True)),
        *((part.mean - minimum - mean_above) * sqrt(share) for part, share in zip(parts, shares, strict=True)),
    )
    return Statistics(count, minimum, minimum + mean_above, std, max(part.maximum for part in parts))
