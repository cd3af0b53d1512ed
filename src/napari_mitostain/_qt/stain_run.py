"""One press of the Stain button: what is taken from the viewer, and what is done with the events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain._qt.layers import carried, from_view, layer_stack, plane_in_view
from napari_mitostain._qt.result_layer import ResultLayer, empty_result, find_result
from napari_mitostain._qt.stain_job import ModelLoaded, StainPlan
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain._qt.view_state import WorldPoint
from napari_mitostain.errors import ImageError
from napari_mitostain.events import Event, PlaneDone, TileDone
from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

LOOK = {"colormap": "magenta", "blending": "additive", "contrast_limits": (0.0, 1.0)}
"""A stain lies over brightfield as a fluorescence channel would."""

_SHOWN = (40.0, 99.8)
"""Percentiles of a plane that are shown as black and in full colour: between cells brightfield stays clear."""


@dataclass(frozen=True)
class LiveSeen:
    """What there is of a live stain: tiles of the finest level, as in `StainPlan.known`, and the look of its layer."""

    tiles: tuple[tuple[PlaneIndex, Box, NDArray[np.float32]], ...]
    look: Mapping[str, Any]


class StainRun:
    """A stain on its way into a layer. Only for the main thread.

    Parameters
    ----------
    viewer : Viewer
    layer : Image
        What is stained.
    request : StainRequest
    seen : LiveSeen, optional
        What there is of a live stain, and how it is shown: the result begins with that.

    Raises
    ------
    ImageError, FileError
        If the layer cannot be stained; nothing was changed then.
    """

    def __init__(self, viewer: Viewer, layer: Image, request: StainRequest, seen: LiveSeen | None = None) -> None:
        self._viewer = viewer
        plan = make_plan(layer, request, WorldPoint.of(viewer))
        self.plan = plan if seen is None else replace(plan, known=seen.tiles)
        look = {} if seen is None else seen.look
        replaced = find_result(viewer, layer, "stain") if request.repeat == "replace" else None
        if replaced is not None and replaced.data.size > self.plan.result.size:  # a plane is no stead of a whole stack
            replaced = None
        transforms = carried(layer, _first_pixel(self.plan))
        self.result = ResultLayer(viewer, self.plan.result, layer, "stain", transforms, {**LOOK, **look}, replaced)
        self._source = layer.unique_id  # the layer itself may go
        self._wants_brightness, self._has_tiles = replaced is None and "contrast_limits" not in look, False

    def is_of(self, layer: Image | None) -> bool:
        """Tell whether a layer is the one that is stained."""
        return layer is not None and layer.unique_id == self._source

    def receive(self, events: list[Event]) -> None:
        """Show what the job has done since the last call."""
        for event in events:
            if isinstance(event, ModelLoaded):
                self.result.record(event.metadata)
                if self.plan.known:
                    self.result.painted([True])
            elif isinstance(event, PlaneDone) and self._wants_brightness and event.values.any():
                self._brighten(event.values)
        self._has_tiles = self._has_tiles or any(isinstance(event, TileDone) for event in events)
        if self._has_tiles:  # a plane without tiles is a constant one, whose stain is empty
            self.result.painted(self._in_view([e.plane for e in events if isinstance(e, (TileDone, PlaneDone))]))

    def _brighten(self, plane: NDArray[np.float32]) -> None:
        """Fit the contrast to the first plane whose stain is not empty, unless the user was quicker."""
        self._wants_brightness = False
        if tuple(self.result.layer.contrast_limits) == LOOK["contrast_limits"]:
            self.result.layer.contrast_limits = contrast_of(plane)

    def _in_view(self, planes: list[PlaneIndex]) -> list[bool]:
        """Tell for each plane whether it is seen; views that cut through the planes see all."""
        dims, axes, layer = self._viewer.dims, self.plan.stack.axes, self.result.layer
        leading = dims.ndim - len(axes)  # axes of other layers, which this one lacks
        if {axes[axis - leading] if axis >= leading else "" for axis in dims.displayed} != {"Y", "X"}:
            return [True] * len(planes)
        seen = np.add(plane_in_view(layer, axes, WorldPoint.of(self._viewer)), self.plan.origin)
        return [plane == tuple(seen) for plane in planes]


def objection(request: StainRequest) -> str:
    """Return the sentence that says why a layer cannot be stained as it is, "" if nothing speaks against it so far."""
    try:
        if request.layer is not None:
            layer_stack(request.layer, request.channel_axis)
    except ImageError as error:
        return str(error)
    return ""


def make_plan(layer: Image, request: StainRequest, point: WorldPoint) -> StainPlan:
    """Freeze a request: which planes, in which order, into which array.

    Parameters
    ----------
    layer : Image
    request : StainRequest
    point : WorldPoint
        That is in view.
    """
    stack = layer_stack(layer, request.channel_axis)
    planes = from_view(stack.planes(request.channel), plane_in_view(layer, stack.axes, point))
    shape, origin = stack.stained_shape(), (0,) * len(planes[0])
    if request.planes == "view":
        planes, origin = planes[:1], stack.stained_index(planes[0])
        shape = tuple(length if axis in "YX" else 1 for axis, length in zip(stack.axes, shape, strict=True))
    return StainPlan(
        stack, request.model, request.settings, request.channel, tuple(planes), origin, empty_result(shape)
    )


def _first_pixel(plan: StainPlan) -> list[int]:
    """Return the pixel of the layer that the first one of the result lies on."""
    leading = iter(plan.origin)
    position: dict[str, Any] = {axis: 0 if axis in "YX" else next(leading) for axis in plan.stack.axes}
    return list((position | ({"C": plan.channel} if "C" in position else {})).values())


def contrast_of(plane: NDArray[np.float32]) -> tuple[float, float]:
    """Return the contrast limits that suit a plane (Y, X) of a stain."""
    rows, columns = (max(1, length // 512) for length in plane.shape)
    low, high = np.percentile(plane[::rows, ::columns], _SHOWN)
    return float(low), float(max(high, low + 0.05))
