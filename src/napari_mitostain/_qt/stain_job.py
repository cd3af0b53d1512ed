"""What the stain widget's thread does: load the model, stain plane by plane, fill the result."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import Device, StainSettings
from napari_mitostain.events import Event, PlaneDone, TileDone
from napari_mitostain.image import PlaneIndex, Stack
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari_mitostain.model.loading import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded(Event):
    """The model is there and staining begins; `metadata` records it in the result layer.

    `devices` are those of this machine, best first: torch, which knows them, is loaded by now.
    """

    metadata: Mapping[str, Any]
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class StainPlan:
    """Everything a job needs, taken from the viewer before it starts.

    Attributes
    ----------
    stack : Stack
    model : str
    settings : StainSettings
    channel : int
    planes : tuple of tuple of int
        In the order of staining.
    origin : tuple of int
        The stain's plane that the first plane of `result` is: all zero for a whole stack.
    result : ndarray of float32
        Filled in place by the job's thread, and only by it.
    known : tuple of tuple
        What a live stain has of it: plane, rows and columns, values. Seen until the job comes to the same place.
    """

    stack: Stack
    model: str
    settings: StainSettings
    channel: int
    planes: tuple[PlaneIndex, ...]
    origin: PlaneIndex
    result: NDArray[np.float32]
    known: tuple[tuple[PlaneIndex, Box, NDArray[np.float32]], ...] = ()


def stain_job(plan: StainPlan) -> Generator[Event, None, None]:
    """Stain a plan's planes into its result.

    The pixels are written here, in the thread: the main thread has nothing to copy, only to show.

    Yields
    ------
    Event
        `ModelLoaded`, then those of `stain_stack`.
    """
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.staining import stain_stack

    for place, box, values in plan.known:
        plan.stack.put(plan.result, place, values, box)
    with a_core_left_to_the_viewer():
        model = load_model(plan.model)
        yield model_loaded(model, plan.settings, plan.stack.name, plan.channel)
        with closing(stain_stack(plan.stack, model, plan.settings, plan.channel, plan.planes)) as events:
            for event in events:
                _fill(plan, event)
                yield event


def model_loaded(model: Model, settings: StainSettings, source: str, channel: int) -> ModelLoaded:
    """Say what a stain is made with: of which source, by which model, how."""
    from napari_mitostain.model.device import available_devices
    from napari_mitostain.staining import provenance

    origin = provenance(model, settings, source, channel)
    words = {"software": origin.software, "channel_name": origin.channel_name, "description": origin.description}
    return ModelLoaded(metadata={**origin.details, **words}, devices=tuple(available_devices()))


@contextmanager
def a_core_left_to_the_viewer() -> Iterator[None]:
    """Let torch compute with all cores but one, so that the viewer stays quick.

    The number is this thread's, and that of every thread which begins to use torch from now on: it is given back.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, cores - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fill(plan: StainPlan, event: Event) -> None:
    if isinstance(event, (TileDone, PlaneDone)):
        index = tuple(i - first for i, first in zip(event.plane, plan.origin, strict=True))
        box = event.box if isinstance(event, TileDone) else (slice(None), slice(None))
        plan.stack.put(plan.result, index, event.values, box)
