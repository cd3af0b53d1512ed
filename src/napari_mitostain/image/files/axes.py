"""From the axes that a file names to the axes of a `Stack`, and to an order that a format allows."""

from __future__ import annotations

from collections.abc import Sequence

from napari_mitostain.image.plane import AXES

_NAMELESS = "QI"
"""Letters by which tifffile says that it found an axis but no name for it."""


def known_axes(axes: str, shape: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Name the nameless axes of a file, and find those to drop.

    Axes of length 1 that are none of T, C, Z, Y, X are dropped. One nameless axis becomes Z (T, if there is a Z), two
    become T and Z, as in `guess_axes`; more are left as they are, for `Stack` to refuse.

    Returns
    -------
    axes : str
        One letter for each axis that is kept.
    dropped : tuple of int
        Positions of the axes to drop.
    """
    dropped = tuple(
        i for i, (axis, length) in enumerate(zip(axes, shape, strict=True)) if axis not in AXES and length == 1
    )
    kept = "".join(axis for i, axis in enumerate(axes) if i not in dropped)
    nameless = sum(axis in _NAMELESS for axis in kept)
    free = [axis for axis in "TZ" if axis not in kept]
    if nameless > len(free):
        return kept, dropped
    names = iter(free[len(free) - nameless :])
    return "".join(next(names) if axis in _NAMELESS else axis for axis in kept), dropped


def tiff_order(axes: str) -> str:
    """Order the axes as OME-TIFF can: planes one after the other, T, C and Z in the order they came."""
    return "".join(axis for axis in axes if axis not in "YX") + "YX"


def zarr_order(axes: str) -> str:
    """Order the axes as OME-Zarr demands: T, C, Z, Y, X."""
    return "".join(axis for axis in AXES if axis in axes)
