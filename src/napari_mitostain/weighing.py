"""Weigh a stack: fluorescence and settings in, events with the TN weights out."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from napari_mitostain.config import WeightSettings, read_values
from napari_mitostain.events import Event, FileDone, Measured, PlaneDone, PlaneWeighed
from napari_mitostain.image import PlaneIndex, Stack, notices_of_first, require_apart
from napari_mitostain.image.files import Provenance, atomic_write, open_writer, read_stack, this_software
from napari_mitostain.weighting import Statistics, band_numbers, band_shares, bands, merged, statistics, tn_weights


def measure_stack(stack: Stack, channel: int = 0) -> Generator[Event, None, Statistics]:
    """Measure all planes of a channel together, one at a time.

    Yields
    ------
    Measured
        For each plane.

    Returns
    -------
    Statistics
    """
    indices, found = stack.planes(channel), []
    for done, index in enumerate(indices, start=1):
        found.append(statistics(stack.read(index)))
        yield Measured(done=done, total=len(indices))
    return merged(found)


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
        `PlaneWeighed` for each plane, with weights (Y, X) in float32 and what they were computed from; with scope
        "stack" first `Measured` for each plane.
    """
    indices = stack.planes(channel) if planes is None else list(planes)
    measured = (yield from measure_stack(stack, channel)) if settings.scope == "stack" else None
    for done, index in enumerate(indices, start=1):
        image = stack.read(index)
        own = statistics(image) if measured is None else measured
        edges, weights = bands(own, settings), tn_weights(image, settings, own)
        numbers = band_numbers(image, edges)
        yield PlaneWeighed(
            plane=stack.stained_index(index),
            values=weights,
            done=done,
            total=len(indices),
            minimum=own.minimum,
            mean=own.mean,
            std=own.std,
            maximum=own.maximum,
            thresholds=edges.edges[1:3],
            pixel_shares=band_shares(numbers),
            weight_shares=band_shares(numbers, weights),
        )


def write_weighting(path: Path, settings: WeightSettings) -> None:
    """Save the coefficients of a weight map, for `read_weighting` and ``mitostain train --weighting``.

    Raises
    ------
    FileError
        If the file cannot be written; what was there before stays.
    """
    atomic_write(path, json.dumps(settings.to_dict(), indent=2).encode())


def read_weighting(path: Path) -> WeightSettings:
    """Read coefficients that `write_weighting` saved.

    Raises
    ------
    FileError, SettingsError
        If the file cannot be read, or holds something else.
    """
    return WeightSettings.from_dict(read_values(path, "coefficients", "save them again"))


def weigh_file(
    target: Path,
    output: Path,
    settings: WeightSettings = WeightSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Write the weight map of a fluorescence image, with its axes and pixel size; see `weigh_stack`.

    Without a channel the first is taken, and a `Notice` says so if there are several.

    Raises
    ------
    FileError, ImageError
    """
    require_apart(target, output)
    stack = read_stack(target)
    chosen = channel or 0
    stack.planes(chosen)  # an unknown channel is refused before anything is written
    origin = Provenance(
        software=this_software(),
        channel_name="TN weights",
        description="Weights of the threshold-normalised L1 loss (Somani et al., BVM 2021), in [0, 1].",
        details={"settings": settings.to_dict(), "source": target.name, "channel": chosen},
    )
    with open_writer(output, stack, origin, overwrite) as writer:
        yield from notices_of_first(stack, channel)
        for event in weigh_stack(stack, settings, chosen):
            if isinstance(event, PlaneDone):
                writer.write(event.plane, event.values)
            yield event
    yield FileDone(source=str(target), output=str(output))
