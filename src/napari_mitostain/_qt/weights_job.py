"""What the thread of the weight map does for the scope "stack": measure all planes once."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from napari_mitostain.events import Event
from napari_mitostain.image import Stack
from napari_mitostain.weighing import measure_stack
from napari_mitostain.weighting import Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StackMeasured(Event):
    """All planes of a channel are measured, together."""

    channel: int
    statistics: Statistics


def measure_job(stack: Stack, channel: int) -> Generator[Event, None, None]:
    """Measure all planes of a channel.

    Yields
    ------
    Event
        Those of `measure_stack`, then `StackMeasured`.
    """
    whole = yield from measure_stack(stack, channel)
    yield StackMeasured(channel=channel, statistics=whole)
