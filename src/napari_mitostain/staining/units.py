"""Stain the units of a stack that are not finished, and record each that is."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import NoContrastError
from napari_mitostain.events import Event, Measured, Notice, PlaneDone, UnitsKept
from napari_mitostain.image import Box, PlaneContrast, PlaneIndex, Stack, Unit
from napari_mitostain.image.files import CompleteImage, ResumableWriter, digest
from napari_mitostain.model.device import choose_device, helping_threads, verifying_threads
from napari_mitostain.model.loading import Model
from napari_mitostain.prefetching import concurrently
from napari_mitostain.staining.blocks import Block, BlockStainer, bytes_held
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
    helpers = helping_threads(choose_device(settings.device), bytes_held(unit.box for unit in units))
    if units and units[0].is_block:
        work = _stain_blocks(writer, BlockStainer(stack, model, settings, scalings), units, helpers)
    else:
        work = _stain_planes(stack, writer, model, settings, channel, units)

    def written(item: Event | _Finished) -> Event | None:
        if not isinstance(item, _Finished):
            return item
        writer.write(item.unit, item.stain, item.source)
        return item.event

    with closing(work), closing(concurrently(written, work, helpers)) as events:
        for event in events:
            if event is not None:
                yield event


@dataclass(frozen=True, slots=True)
class _Finished:
    """The stain of a unit, what it was computed from, and the event that is due once it is written."""

    unit: Unit
    stain: NDArray[Any]
    source: str
    event: Event | None = None


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
    found: Iterator[Event | Unit | _Scaled] = iter(units)
    if units and units[0].is_block:
        stainer = BlockStainer(stack, model, settings, {})
        found = _with_scaling(stainer, units)

    def is_finished(each: Event | Unit | _Scaled) -> Event | bool:
        if isinstance(each, Unit):
            return complete.is_finished(each, digest(stack.read(each.plane)))
        if isinstance(each, _Scaled):
            return complete.is_finished(each.unit, stainer.source(each.unit, each.scaling)[1])
        return each

    done = 0
    with closing(concurrently(is_finished, found, _verifiers(units))) as verdicts:
        for verdict in verdicts:
            if not isinstance(verdict, bool):
                yield verdict
            elif not verdict:
                return False
            else:
                done += 1
                yield Measured(done=done, total=len(units))
    return True


def _stain_planes(
    stack: Stack, writer: ResumableWriter, model: Model, settings: StainSettings, channel: int, units: Sequence[Unit]
) -> Generator[Event | _Finished, None, None]:
    left = yield from _unfinished_planes(stack, writer, units)
    yield UnitsKept(count=len(units) - len(left))
    if not left:
        return
    witness, unit_at = _Witness.of(stack), {stack.stained_index(unit.plane): unit for unit in left}
    with suppress(NoContrastError):  # other units may have some
        for event in stain_stack(witness, model, settings, channel, [unit.plane for unit in left]):
            if isinstance(event, PlaneDone):
                unit = unit_at[event.plane]
                yield _Finished(unit, event.values, witness.digests.pop(unit.plane), event)
            else:
                yield event


def _unfinished_planes(
    stack: Stack, writer: ResumableWriter, units: Sequence[Unit]
) -> Generator[Event, None, list[Unit]]:
    def is_finished(unit: Unit) -> bool:
        return writer.record(unit) is not None and writer.is_finished(unit, digest(stack.read(unit.plane)))

    left = []
    with closing(concurrently(is_finished, units, _verifiers(units))) as verdicts:
        for done, (unit, verdict) in enumerate(zip(units, verdicts, strict=True), start=1):
            if not verdict:
                left.append(unit)
            yield Measured(done=done, total=len(units))
    return left


def _verifiers(units: Sequence[Unit]) -> int:
    """Return how many threads are to look at units; none helps with a single one."""
    return verifying_threads(bytes_held(unit.box for unit in units)) if len(units) > 1 else 0


def kept_notice(count: int, stack: Stack) -> Iterator[Notice]:
    """Say how many units were finished before, if any."""
    if count:
        one = "Part" if count == 1 else f"{count} parts"
        yield Notice(
            message=f"{one} of the stain of {stack.name} had been finished by an earlier run, and the digests of input "
            "and stain are those that it recorded."
        )


def _stain_blocks(
    writer: ResumableWriter, stainer: BlockStainer, units: Sequence[Unit], helpers: int
) -> Generator[Event | _Finished, None, None]:
    kept = list[Unit]()

    def ready(found: Event | _Scaled) -> Event | Block:
        if not isinstance(found, _Scaled):
            return found
        pixels, source = stainer.source(found.unit, found.scaling)
        if not writer.is_finished(found.unit, source):
            return stainer.ready(found.number, found.unit, found.scaling, pixels, source)
        kept.append(found.unit)
        return Measured(done=found.number + 1, total=len(units))

    with closing(concurrently(ready, _with_scaling(stainer, units), helpers)) as blocks:
        for item in stainer.run(blocks, len(units)):
            yield _Finished(item.unit, item.stain.values, item.source) if isinstance(item, Block) else item
    yield UnitsKept(count=len(kept))


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A unit, its number, and how its plane is scaled."""

    number: int
    unit: Unit
    scaling: PlaneContrast


def _with_scaling(stainer: BlockStainer, units: Sequence[Unit]) -> Iterator[Event | _Scaled]:
    """Find out how the plane of each unit is scaled; yields `Measured` and `Notice` on the way."""
    for number, unit in enumerate(units):
        scaling = yield from stainer.scaling(unit)
        yield _Scaled(number, unit, scaling)


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
