"""What scores are to be compared with: two trivial stains and the best that the camera's noise allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter


def constant_baseline(target: NDArray[Any]) -> NDArray[np.float32]:
    """Return the target's median everywhere: what an empty picture scores."""
    return np.full(target.shape, np.median(target), np.float32)


def variance_baseline(brightfield: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
    """Return the blurred local variance of the brightfield plane, fitted to the target by least squares.

    The fit uses the target itself, so this baseline is as strong as its shape allows.
    """
    plane = brightfield.astype(np.float64)
    variance = uniform_filter(plane**2, 9) - uniform_filter(plane, 9) ** 2
    blurred = np.sqrt(gaussian_filter(variance.clip(0), 6))
    slope, offset = (
        np.polyfit(blurred.ravel(), target.ravel(), 1) if np.ptp(blurred) > 0 else (0.0, float(target.mean()))
    )
    return (slope * blurred + offset).clip(0, 1).astype(np.float32)


def ceiling(target: NDArray[Any]) -> NDArray[np.float32]:
    """Return the denoised target (Gaussian, 1 px): what a perfect stain without the camera's noise would score."""
    return gaussian_filter(target.astype(np.float32), 1.0)
