"""Weigh a stack: fluorescence and settings in, events with the TN weights out."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from napari_mitostain.config import WeightSettings
from napari_mitostain.events import Event, FileDone, Measured, PlaneDone
from napari_mitostain.image import PlaneIndex, Stack, require_apart
from napari_mitostain.image.files import Provenance, open_writer, read_stack
from napari_mitostain.weighting import Statistics, merged, statistics, tn_weights


def weigh_stack(
    stack: Stack,
    settings: WeightSettings = WeightSettings(),
    channel: int = 0,
    planes: Sequence[PlaneIndex] | None = None,
) -> Iterator[Event]:
    """Compute the weight map of each plane.

    Parameters
    ----------
    stack : Stack
        Fluorescence.
    settings : WeightSettings
        With scope "stack" the statistics are those of all planes of the channel, which are read twice.
    channel : int
    planes : sequence of tuple of int, optional
        Which planes, in which order; by default all planes of the channel.

    Yields
    ------
    Event
        `PlaneDone` for each plane, with weights (Y, X) in float32; with scope "stack" first `Measured` for each plane.
    """
    indices = stack.planes(channel) if planes is None else list(planes)
    measured = (yield from _measured(stack, channel)) if settings.scope == "stack" else None
    for done, index in enumerate(indices, start=1):
        weights = tn_weights(stack.read(index), settings, measured)
        yield PlaneDone(plane=stack.stained_index(index), values=weights, done=done, total=len(indices))


def _measured(stack: Stack, channel: int) -> Generator[Event, None, Statistics]:
    """Take the statistics of all planes of a channel, one by one."""
    indices, found = stack.planes(channel), []
    for done, index in enumerate(indices, start=1):
        found.append(statistics(stack.read(index)))
        yield Measured(done=done, total=len(indices))
    return merged(found)


def weigh_file(
    target: Path,
    output: Path,
    settings: WeightSettings = WeightSettings(),
    channel: int = 0,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Write the weight map of a fluorescence image, with its axes and pixel size; see `weigh_stack`.

    Raises
    ------
    FileError, ImageError
    """
    require_apart(target, output)
    stack = read_stack(target)
    stack.planes(channel)  # an unknown channel is refused before anything is written
    origin = Provenance(
        software=f"napari-mitostain {version('napari-mitostain')}",
        channel_name="TN weights",
        description="Weights of the threshold-normalised L1 loss (Somani et al., BVM 2021), in [0, 1].",
        details={"settings": settings.to_dict(), "source": target.name, "channel": channel},
    )
    with open_writer(output, stack, origin, overwrite) as writer:
        for event in weigh_stack(stack, settings, channel):
            if isinstance(event, PlaneDone):
                writer.write(event.plane, event.values)
            yield event
    yield FileDone(source=str(target), output=str(output))
