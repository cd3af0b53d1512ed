"""Carry out a plan: pad the plane, run a function on every window, keep the cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.tiling.plan import Plan, Tile

Predict = Callable[[Any], Any]
"""From a window (h, w), or one of several planes (B, h, w), to its result of the same shape."""


def pad(image: NDArray[Any], more: tuple[int, int]) -> NDArray[Any]:
    """Continue a plane (Y, X), or several (B, Y, X), by reflection: by so many rows and columns at their ends."""
    if not any(more):
        return image
    return np.pad(image, [(0, 0)] * (image.ndim - 2) + [(0, pixels) for pixels in more], mode="reflect")


def stitch(
    image: Any,
    plan: Plan,
    predict: Predict,
    tiles: Iterable[Tile] | None = None,
    padded: Callable[[Any, tuple[int, int]], Any] = pad,
) -> Iterator[tuple[Tile, Any]]:
    """Yield each tile with the result of its core, as soon as it is there.

    Parameters
    ----------
    image : ndarray
        Plane (Y, X) of the plan's shape, or several (B, Y, X), whose windows are then handed over together; or what
        is cut as an array is, such as a tensor.
    plan : Plan
    predict : callable
        Applied to every window; the identity gives the image back.
    tiles : iterable of Tile, optional
        In which order; the plan's own by default.
    padded : callable
        What does as `pad` does for such an image.
    """
    whole = padded(image, plan.padding)
    for tile in plan.tiles if tiles is None else tiles:
        yield tile, predict(whole[..., *tile.window])[..., *tile.crop]


def stitched(image: NDArray[Any], plan: Plan, predict: Predict) -> NDArray[Any]:
    """Return the whole result (Y, X) of a plan."""
    result: NDArray[Any] | None = None
    for tile, core in stitch(image, plan, predict):
        if result is None:
            result = np.empty(plan.shape, core.dtype)
        result[tile.core] = core
    assert result is not None  # a plan has at least one tile
    return result
