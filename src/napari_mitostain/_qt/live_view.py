"""What the user looks at: which resolution and which plane of a layer, which part of it, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_mitostain._qt.layers import layer_levels, middle_of_view, plane_in_view, unit_factors
from napari_mitostain._qt.view_state import WorldPoint
from napari_mitostain.image import PlaneIndex, Stack
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari.viewer import Viewer

_AHEAD, _BEHIND = 4, 1
"""Planes that are stained before the user comes to them, in the direction of the slider and against it."""


@dataclass(frozen=True)
class LiveAxes:
    """What does not change of a layer while it is looked at.

    Attributes
    ----------
    stacks : tuple of Stack
        Its resolutions, the finest first.
    factors : tuple of tuple of float
        For each resolution and axis, the pixels of the finest that one of its pixels is wide.
    channel : int
        Position of brightfield along axis C.
    """

    stacks: tuple[Stack, ...]
    factors: tuple[tuple[float, ...], ...]
    channel: int

    @classmethod
    def of(cls, layer: Image, channel_axis: int | None, channel: int) -> LiveAxes:
        """Take them down.

        Raises
        ------
        ImageError
            If the layer cannot be stained.
        """
        stacks = layer_levels(layer, channel_axis)
        stacks[0].planes(channel)  # which refuses an unknown channel
        finest = stacks[0].shape
        factors = tuple(tuple(whole / own for whole, own in zip(finest, stack.shape, strict=True)) for stack in stacks)
        return cls(stacks, factors, channel)

    @property
    def axes(self) -> str:
        """One letter for each dimension."""
        return self.stacks[0].axes

    @property
    def letters(self) -> str:
        """Those of the axes that a plane has a position on."""
        return "".join(axis for axis in self.axes if axis not in "YX")

    def width(self, level: int) -> float:
        """Return how many pixels of the finest level a pixel of a level is wide."""
        return self.factors[level][self.axes.index("Y")]

    def of_channel(self, plane: PlaneIndex) -> PlaneIndex:
        """Return the plane of brightfield that shows what a plane shows, or its stain."""
        return tuple(self.channel if axis == "C" else i for axis, i in zip(self.letters, plane, strict=True))

    def at_level(self, finest: PlaneIndex, level: int) -> PlaneIndex:
        """Return the plane of a level that shows a plane of the finest."""
        place = dict(zip(self.axes, zip(self.stacks[level].shape, self.factors[level], strict=True), strict=True))
        return tuple(
            position if axis == "C" else min(round(position / place[axis][1]), place[axis][0] - 1)
            for axis, position in zip(self.letters, finest, strict=True)
        )


@dataclass(frozen=True, slots=True)
class LiveView:
    """What is looked at.

    Attributes
    ----------
    level : int
    finest : tuple of int
        The plane, as one of the finest level.
    plane : tuple of int
        The plane of the level.
    box : tuple of slice
        Its rows and columns in view.
    centre : tuple of float
        Of the view, in rows and columns.
    beside : str
        Label of the axis of channels, if another channel than brightfield's is in view, which has no stain; else "".
    """

    level: int
    finest: PlaneIndex
    plane: PlaneIndex
    box: Box
    centre: tuple[float, float]
    beside: str = ""


def view_of(viewer: Viewer, layer: Image, of: LiveAxes) -> LiveView | None:
    """Return what is looked at of a layer, None if that is no plane of it."""
    dims, leading = viewer.dims, viewer.dims.ndim - len(of.axes)  # axes of other layers, which this one lacks
    if {of.axes[axis - leading] if axis >= leading else "" for axis in dims.displayed} != {"Y", "X"}:
        return None
    level = layer.data_level if layer.multiscale else 0
    point = WorldPoint.of(viewer)
    in_view = plane_in_view(layer, of.axes, point)
    finest = of.of_channel(in_view)
    rows, columns = _box_in_view(layer, of, level, point)
    row, column = (middle / of.width(level) for middle in middle_of_view(viewer, layer, of.axes))
    centre = (float(np.clip(row, rows.start, rows.stop)), float(np.clip(column, columns.start, columns.stop)))
    beside = dims.axis_labels[leading + of.axes.index("C")] if finest != in_view else ""
    return LiveView(level, finest, of.at_level(finest, level), (rows, columns), centre, beside)


def _box_in_view(layer: Image, of: LiveAxes, level: int, point: WorldPoint) -> Box:
    """Return the rows and columns that napari draws of a level, all where that is not known.

    The corners that napari tells are wrong where the viewer is in other units than the layer. Of levels, though, it
    draws what lies between these corners; a layer without levels it draws whole.
    """
    shape = of.stacks[level].plane_shape
    sides = [of.axes.index("Y"), of.axes.index("X")]
    first, last = layer.corner_pixels[0][sides], layer.corner_pixels[1][sides]
    is_told = layer.multiscale or {*unit_factors(layer, point)} == {1.0}
    if not is_told or not (last > first).all():  # or nothing was drawn yet
        first, last = np.zeros(2, int), np.array(shape) - 1
    rows, columns = (
        slice(min(max(int(a), 0), length - 1), min(int(b) + 1, length))
        for a, b, length in zip(first, last, shape, strict=True)
    )
    return rows, columns


def neighbours(view: LiveView, of: LiveAxes, axis: int, direction: int) -> Iterator[LiveView]:
    """Go through the views that come next if the slider of an axis of the plane goes on as it went.

    Parameters
    ----------
    view : LiveView
    of : LiveAxes
    axis : int
        Position in the plane's index; -1 is the last.
    direction : int
        1 or -1.
    """
    if not view.finest or of.letters[axis] == "C":
        return
    axis %= len(view.finest)
    length = dict(zip(of.axes, of.stacks[0].shape, strict=True))[of.letters[axis]]
    for step in [*range(1, _AHEAD + 1), *range(-1, -_BEHIND - 1, -1)]:
        position = view.finest[axis] + direction * step
        if 0 <= position < length:
            finest = (*view.finest[:axis], position, *view.finest[axis + 1 :])
            yield replace(view, finest=finest, plane=of.at_level(finest, view.level))
