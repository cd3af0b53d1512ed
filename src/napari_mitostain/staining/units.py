"""Stain the units of a stack that are not finished, and record each that is."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import NoContrastError
from napari_mitostain.events import Event, Measured, Notice, PlaneDone, UnitsKept
from napari_mitostain.image import Box, PlaneContrast, PlaneIndex, Stack, Unit
from napari_mitostain.image.files import CompleteImage, ResumableWriter, digest
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.blocks import BlockStainer
from napari_mitostain.staining.messages import no_contrast
from napari_mitostain.staining.stack import stain_stack


def stain_units(
    stack: Stack,
    writer: ResumableWriter,
    model: Model,
    settings: StainSettings,
    channel: int,
    units: Sequence[Unit],
    scalings: Mapping[PlaneIndex, PlaneContrast] = MappingProxyType({}),
) -> Iterator[Event]:
    """Stain units of a stack into a writer, except those that are finished already.

    A unit counts as finished if the digests of its pixels in the stack, and of its stain on the disk, are those that
    were recorded.

    Parameters
    ----------
    stack : Stack
    writer : ResumableWriter
    model : Model
    settings : StainSettings
    channel : int
    units : sequence of Unit
    scalings : mapping
        How planes that are stained in blocks are scaled, as far as they were measured.

    Yields
    ------
    Event
        Those of `stain_stack`, but of blocks only `TileDone`; `Measured` as units are looked at, `UnitsKept`.
    """
    if units and units[0].is_block:
        yield from _stain_blocks(writer, BlockStainer(stack, model, settings, scalings), units)
    else:
        yield from _stain_planes(stack, writer, model, settings, channel, units)


def require_contrast(stack: Stack, writer: ResumableWriter, units: Sequence[Unit]) -> None:
    """Refuse a stain that is empty because all planes are constant.

    Raises
    ------
    NoContrastError
    """
    if all(found is not None and found.is_empty for found in map(writer.record, units)):
        raise no_contrast(stack, sorted({unit.plane for unit in units}))


def are_finished(
    stack: Stack, complete: CompleteImage, model: Model, settings: StainSettings, units: Sequence[Unit]
) -> Generator[Event, None, bool]:
    """Tell whether all units of a complete stain are what `stain_units` would make of them; yields `Measured`."""
    stainer = BlockStainer(stack, model, settings, {}) if units and units[0].is_block else None
    for done, unit in enumerate(units, start=1):
        if stainer is None:
            source = digest(stack.read(unit.plane))
        else:
            scaling = yield from stainer.scaling(unit)
            source = stainer.source(unit, scaling)[-1]
        if not complete.is_finished(unit, source):
            return False
        yield Measured(done=done, total=len(units))
    return True


def _stain_planes(
    stack: Stack, writer: ResumableWriter, model: Model, settings: StainSettings, channel: int, units: Sequence[Unit]
) -> Iterator[Event]:
    left = yield from _unfinished_planes(stack, writer, units)
    yield UnitsKept(count=len(units) - len(left))
    if not left:
        return
    witness, unit_at = _Witness.of(stack), {stack.stained_index(unit.plane): unit for unit in left}
    with suppress(NoContrastError):  # other units may have some
        for event in stain_stack(witness, model, settings, channel, [unit.plane for unit in left]):
            if isinstance(event, PlaneDone):
                unit = unit_at[event.plane]
                writer.write(unit, event.values, witness.digests.pop(unit.plane))
            yield event


def _unfinished_planes(
    stack: Stack, writer: ResumableWriter, units: Sequence[Unit]
) -> Generator[Event, None, list[Unit]]:
    left = []
    for done, unit in enumerate(units, start=1):
        if writer.record(unit) is None or not writer.is_finished(unit, digest(stack.read(unit.plane))):
            left.append(unit)
        yield Measured(done=done, total=len(units))
    return left


def kept_notice(count: int, stack: Stack) -> Iterator[Notice]:
    """Say how many units were finished before, if any."""
    if count:
        one = "Part" if count == 1 else f"{count} parts"
        yield Notice(
            message=f"{one} of the stain of {stack.name} had been finished by an earlier run, and the digests of input "
            "and stain are those that it recorded."
        )


def _stain_blocks(writer: ResumableWriter, stainer: BlockStainer, units: Sequence[Unit]) -> Iterator[Event]:
    kept = 0
    for done, unit in enumerate(units):
        scaling = yield from stainer.scaling(unit)
        scaled, core, source = stainer.source(unit, scaling)
        if writer.is_finished(unit, source):
            kept += 1
            yield Measured(done=done + 1, total=len(units))
            continue
        stain = yield from stainer.run(unit, scaled, core, done, len(units))
        writer.write(unit, stain, source)
    yield UnitsKept(count=kept)


@dataclass(frozen=True)
class _Witness(Stack):
    """A stack that remembers the digest of each plane it reads, until it is asked for."""

    digests: dict[PlaneIndex, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        return cls(*(getattr(stack, each.name) for each in fields(Stack)))

    def read(self, index: PlaneIndex, box: Box = (slice(None), slice(None))) -> NDArray[Any]:
        plane = super().read(index, box)
        self.digests[index] = digest(plane)
        return plane
