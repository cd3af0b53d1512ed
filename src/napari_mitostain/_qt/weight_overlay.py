"""The command "TN weight map": what the loss looks at in a fluorescence layer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error
from napari.viewer import Viewer
from numpy.typing import NDArray

from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import Outcome
from napari_mitostain._qt.layers import carried, from_view, guess_channel_axis, layer_stack, plane_in_view
from napari_mitostain._qt.result_layer import ResultLayer, empty_result, find_result
from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import ImageError, MitostainError
from napari_mitostain.events import Event, PlaneDone
from napari_mitostain.image import PlaneIndex, Stack

LOOK = {"colormap": "viridis", "blending": "translucent", "opacity": 0.5, "contrast_limits": (0.0, 1.0)}
"""Half seen through: weights and image can be compared place by place."""

_DESCRIPTION = "Weights of the threshold-normalised L1 loss (Somani et al., BVM 2021), in [0, 1], plane by plane."

_alive: set[WeightOverlay] = set()
"""Commands have no widget to hold them; each stays here until its job has ended."""


@dataclass(frozen=True)
class WeightPlan:
    """What the job needs: a stack, its planes in order, settings, and the array to fill."""

    stack: Stack
    planes: tuple[PlaneIndex, ...]
    settings: WeightSettings
    result: NDArray[np.float32]


def weigh_selected_layer(viewer: Viewer) -> WeightOverlay | None:
    """Lay the TN weight map of the selected image over it, plane by plane; a second call replaces the first map.

    Parameters
    ----------
    viewer : Viewer

    Returns
    -------
    WeightOverlay or None
        None if the selected layer cannot be weighed; the user is told why.
    """
    try:
        return WeightOverlay(viewer, _selected_image(viewer))
    except MitostainError as error:
        show_error(str(error))
        return None


class WeightOverlay:
    """A weight map on its way into a layer. Only for the main thread."""

    def __init__(self, viewer: Viewer, layer: Image) -> None:
        self.plan = plan = _make_plan(viewer, layer)
        transforms = carried(layer, [0] * layer.ndim)
        replaced = find_result(viewer, layer, "weights")
        self.result = ResultLayer(viewer, plan.result, layer, "weights", transforms, LOOK, replaced)
        self.result.record({"settings": plan.settings.to_dict(), "source": layer.name, "description": _DESCRIPTION})
        self.runner = JobRunner()
        self.runner.received.connect(self._receive)
        self.runner.ended.connect(self._finish)
        viewer.layers.events.removed.connect(self._on_removed)
        _alive.add(self)
        self.runner.start(f"Weighing {layer.name}", partial(weigh_job, plan))

    def _receive(self, events: list[Event]) -> None:
        self.result.painted([True] * len(events))

    def _finish(self, _: Outcome) -> None:
        self.result.finish()
        _alive.discard(self)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.result.layer:
            self.runner.cancel()


def weigh_job(plan: WeightPlan) -> Generator[Event, None, None]:
    """Weigh a plan's planes into its result; the statistics are each plane's own."""
    from napari_mitostain.weighing import weigh_stack

    for index, event in zip(plan.planes, weigh_stack(plan.stack, plan.settings, planes=plan.planes), strict=True):
        assert isinstance(event, PlaneDone)
        plan.stack.put(plan.result, index, event.values)
        yield event


def _selected_image(viewer: Viewer) -> Image:
    layer = viewer.layers.selection.active
    if not isinstance(layer, Image):
        raise ImageError(
            "Expected one selected image layer to weigh, got none; click a fluorescence image in the layer list."
        )
    return layer


def _make_plan(viewer: Viewer, layer: Image) -> WeightPlan:
    stack = layer_stack(layer, guess_channel_axis(layer))
    planes = [plane for channel in range(stack.channel_count) for plane in stack.planes(channel)]
    view = plane_in_view(layer, stack.axes, viewer.dims.point)
    return WeightPlan(stack, tuple(from_view(planes, view)), WeightSettings(), empty_result(stack.shape))
