"""Time the weight map against the ways it is written elsewhere, and against a copy of the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mitostain.benchmarking.rounds import ratios, timed
from napari_mitostain.config import WeightSettings
from napari_mitostain.model.losses import batch_weights
from napari_mitostain.weighting import tn_weights

_LOOPED = 128
"""Side of the part that the loop over pixels weighs; its time is scaled up to the whole."""


def benchmark_weights(size: int = 2048, repeats: int = 5) -> dict[str, Any]:
    """Compare `tn_weights` of a float32 plane with other ways to the same map.

    Parameters
    ----------
    size : int
        Side of the plane in pixels.
    repeats : int
        Rounds; in each, every contestant runs once.

    Returns
    -------
    dict
        Median seconds, and the median over the rounds of the ratios to "python_loop" (a loop over the pixels, as in the
        paper's code), "numpy_select", "copy" (of the plane, which is the memory's speed), "uint16" (the same plane in
        whole numbers) and "tensor" (`batch_weights` of the same plane).
    """
    plane = np.random.default_rng(0).gamma(1.5, 200, (size, size)).astype(np.float32)
    whole, spare = plane.astype(np.uint16), np.empty_like(plane)
    batch = torch.from_numpy(plane)[None, None]  # (1, 1, Y, X)
    contestants: dict[str, Callable[[], object]] = {
        "weights": lambda: tn_weights(plane),
        "uint16": lambda: tn_weights(whole),
        "tensor": lambda: batch_weights(batch),
        "numpy_select": lambda: by_select(plane),
        "python_loop": lambda: by_loop(plane[:_LOOPED, :_LOOPED]),
        "copy": lambda: np.copyto(spare, plane),
    }
    rounds = timed(contestants, repeats)
    scale = plane.size / plane[:_LOOPED, :_LOOPED].size
    for times in rounds:
        times["python_loop"] *= scale
    return ratios(rounds, "weights") | {"weights_size": size}


def by_select(image: NDArray[Any], settings: WeightSettings = WeightSettings()) -> NDArray[Any]:
    """Compute the weights as NumPy offers itself: all three lines for all pixels, and a choice."""
    low, first, second, high = _edges(image, settings)
    (a1, a2, a3), (b1, b2, b3) = settings.a, settings.b
    return np.select(
        [image <= first, image <= second],
        [a1 * (image - low) / (first - low) + b1, a2 * (image - first) / (second - first) + b2],
        a3 * (image - second) / (high - second) + b3,
    )


def by_loop(image: NDArray[Any], settings: WeightSettings = WeightSettings()) -> NDArray[Any]:
    """Compute the weights pixel by pixel in Python."""
    edges = _edges(image, settings)
    weights = np.empty(image.shape, np.float32)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            value = image[row, column]
            band = 0 if value <= edges[1] else 1 if value <= edges[2] else 2
            rise = settings.a[band] * (value - edges[band]) / (edges[band + 1] - edges[band])
            weights[row, column] = rise + settings.b[band]
    return weights


def _edges(image: NDArray[Any], settings: WeightSettings) -> tuple[float, float, float, float]:
    mean, std = float(image.mean(dtype=np.float64)), float(image.std(dtype=np.float64))
    first, second = settings.sigmas
    return float(image.min()), mean + first * std, mean + second * std, float(image.max())
