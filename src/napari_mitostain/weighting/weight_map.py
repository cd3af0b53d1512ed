"""The TN weight map of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.bands import bands
from napari_mitostain.weighting.ramp import Ramp, ramp
from napari_mitostain.weighting.statistics import BLOCK, Statistics, statistics

_STEEPEST = 50.0
"""Float32 rounds to 6e-8 and the formula to a few of these: up to this steepness weights are good to 1e-5."""

_FLOAT32_RANGE = 1e-30, 1e30
"""Contrasts for which neither slopes nor intensities leave the range of float32."""


def tn_weights(
    image: NDArray[Any],
    settings: WeightSettings = WeightSettings(),
    measured: Statistics | None = None,
) -> NDArray[np.float32]:
    """Weigh each pixel of a target image by the band its intensity lies in.

    In band n, ``w = a_n (F - M_{n-1}) / (M_n - M_{n-1}) + b_n`` with M0 = min F, M1 = µ + σ, M2 = µ + 3σ,
    M3 = max F. The default coefficients give a continuous, monotone map into [0, 1].

    Parameters
    ----------
    image : ndarray
        Target intensities (fluorescence), any shape and real data type.
    settings : WeightSettings
        Coefficients and multiples of σ; the paper's by default.
    measured : Statistics, optional
        Statistics of a wider scope, such as the whole stack; by default those of `image`.

    Returns
    -------
    ndarray of float32
        Weights of the image's shape; 0 where the image is not finite, b1 everywhere if it is constant.

    References
    ----------
    Somani et al., "Digital staining of mitochondria in label-free live-cell microscopy", BVM 2021.

    Examples
    --------
    >>> import numpy as np
    >>> tn_weights(np.full((2, 2), 7)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    image = np.asarray(image)
    own = statistics(image) if measured is None else measured
    edges = bands(own, settings).above_minimum()
    line = ramp(edges, settings)
    dtype = np.float32 if _suits_float32(image.dtype, line, edges.edges[3]) else np.float64
    low = dtype(own.minimum)
    pixels = np.ascontiguousarray(image).reshape(-1)
    has_holes = image.dtype.kind == "f" and (measured is not None or own.count < image.size)
    weights = np.empty(pixels.shape, np.float32)
    scratch = np.empty((3, min(BLOCK, pixels.size)), dtype)  # stays in the cache; new arrays cost more than the sums
    for start in range(0, pixels.size, BLOCK):
        block = pixels[start : start + BLOCK]
        above, spare, drawn = scratch[:, : block.size]
        np.subtract(block, low, out=above, dtype=dtype)
        holes = ~np.isfinite(block) if has_holes else None
        if holes is not None:
            above[holes] = 0
        _draw(line, above, spare, drawn if dtype is np.float64 else weights[start : start + BLOCK])
        if dtype is np.float64:
            weights[start : start + BLOCK] = drawn
        if holes is not None:
            weights[start : start + BLOCK][holes] = 0
    return weights.reshape(image.shape)


def _draw(line: Ramp, above: NDArray[Any], spare: NDArray[Any], drawn: NDArray[Any]) -> None:
    """Weigh intensities from the minimum into `drawn`."""
    np.multiply(above, line.slope, out=drawn)
    for edge, bend in zip(line.edges, line.bends, strict=True):
        np.subtract(above, edge, out=spare)
        np.maximum(spare, 0, out=spare)
        spare *= bend
        drawn += spare
    if line.start:
        drawn += line.start
    for edge, jump in zip(line.edges, line.jumps, strict=True):
        if jump:
            drawn += np.greater(above, edge, out=spare) * jump


def _suits_float32(dtype: np.dtype[Any], line: Ramp, top: float) -> bool:
    """Tell whether float32, which is twice as fast, gives weights to 1e-5."""
    exact = (dtype.kind in "uib" and dtype.itemsize <= 2) or (dtype.kind == "f" and dtype.itemsize <= 4)
    low, high = _FLOAT32_RANGE
    return exact and not any(line.jumps) and low < top < high and line.steepness <= _STEEPEST
