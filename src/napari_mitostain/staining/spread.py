"""Stain a file or a folder with several processes: cut into parts, hand them out, complete what they made."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.events import Event, FileDone, PartDone, UnitsKept
from napari_mitostain.image import PlaneContrast, PlaneIndex
from napari_mitostain.image.files import is_image_folder
from napari_mitostain.image.files.formats import file_format
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.crew import Crew
from napari_mitostain.staining.files import OpenImage, is_done, open_image, stain_file
from napari_mitostain.staining.folder import end_of_folder, images_to_stain, left_out, tasks
from napari_mitostain.staining.parts import FilesPart, MeasurePart, Part, Task, UnitsPart, portable_name
from napari_mitostain.staining.units import kept_notice, require_contrast

_PIXELS = 2**24
"""Of a part of a stack, at least: some seconds of work for a processor, beside which handing it out costs nothing."""

_BYTES = 2**24
"""Of the files of a part, at least."""


def stain_spread(
    source: Path,
    output: Path,
    model: Model,
    name: str | Path,
    crew: Crew,
    settings: StainSettings = StainSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Stain a file or a folder with the processes of a crew; see `stain_file` and `stain_folder`.

    The units of an OME-Zarr are spread over all processes: none of its chunks belongs to two of them. Any other file is
    written by one process. Results are those of one process, to rounding where processors or numbers of threads differ.

    Parameters
    ----------
    source, output : Path
        The processes must see them under the same names.
    model : Model
    name : str or Path
        By which the processes find the model.
    crew : Crew
    settings : StainSettings
    channel : int, optional
    overwrite : bool

    Yields
    ------
    Event
        `PartDone`, `Notice` and `FileDone`.

    Raises
    ------
    FileError, ImageError, SchedulerError
    """
    source, output = source.absolute(), output.absolute()
    computed = yield from crew.ready(settings)
    task = Task(portable_name(name), model.sha256, settings, channel, overwrite, computed)
    job = _folder if is_image_folder(source) else _file
    yield from job(source, output, model, task, crew)


def _file(source: Path, output: Path, model: Model, task: Task, crew: Crew) -> Iterator[Event]:
    if file_format(output) == "png":  # a single plane, and not written piece by piece
        yield from stain_file(source, output, model, task.settings, task.channel, task.overwrite)
    else:
        yield from _stack(source, output, model, task, crew, (0, 1))


def _folder(source: Path, output: Path, model: Model, task: Task, crew: Crew) -> Iterator[Event]:
    own = tasks(model, task.settings, task.channel, task.computed)
    files = yield from images_to_stain(source, output, own, task.overwrite)
    stacks = [path for path in files if file_format(path) == "zarr"]
    small = [path for path in files if file_format(path) != "zarr"]
    failed = yield from _files(small, output, task, crew, len(files))
    for done, path in enumerate(stacks, start=len(small)):
        try:
            yield from _stack(path, output / path.name, model, task, crew, (done, len(files)))
        except (ImageError, FileError) as error:
            failed.append(path.name)
            yield left_out(path, error)
    end_of_folder(len(files), failed)


def _files(
    sources: Sequence[Path], output: Path, task: Task, crew: Crew, total: int
) -> Generator[Event, None, list[str]]:
    """Have files stained as a whole; returns which could not be stained."""
    parts: list[Part] = [FilesPart(group, output) for group in _groups(sources)]
    done, failed = 0, list[str]()
    for report in crew.run(task, parts):
        if report is not None:
            yield from report.events
            done += sum(isinstance(event, FileDone) for event in report.events) + len(report.failed)
            failed += report.failed
        yield PartDone(fraction=done / total)
    return failed


def _stack(source: Path, output: Path, model: Model, task: Task, crew: Crew, place: tuple[int, int]) -> Iterator[Event]:
    """Have an image stained by all processes, unless an earlier run has completed it."""
    image = open_image(source, output, model, task.settings, task.channel, task.overwrite, task.computed)
    if (yield from is_done(image, model, task.settings, task.overwrite)):
        yield FileDone(source=str(source), output=str(output), kept=True)
    else:
        yield from _units(image, source, output, task, crew, place)


def _units(
    image: OpenImage, source: Path, output: Path, task: Task, crew: Crew, place: tuple[int, int]
) -> Iterator[Event]:
    """Have the units of an image stained by all processes, and complete it."""
    with image.writer as writer:
        yield from image.notices
        scalings = yield from _scalings(image, source, task, crew, place)
        parts, done, kept = _ranges(image, source, output, scalings), 0, 0
        for report in crew.run(task, parts):
            if report is not None:
                yield from report.events
                kept += sum(event.count for event in report.events if isinstance(event, UnitsKept))
                done += 1
            yield PartDone(fraction=(place[0] + done / len(parts)) / place[1])
        require_contrast(image.stack, writer, image.units)
    yield from kept_notice(kept, image.stack)
    yield FileDone(source=str(source), output=str(output))


def _scalings(
    image: OpenImage, source: Path, task: Task, crew: Crew, place: tuple[int, int]
) -> Generator[Event, None, dict[PlaneIndex, PlaneContrast]]:
    """Have the planes measured that are stained in blocks."""
    firsts = [unit for unit in image.units if unit.is_block and unit.box == unit.boxes[0]]
    found = dict[PlaneIndex, PlaneContrast]()
    for report in crew.run(task, [MeasurePart(source, unit) for unit in firsts]):
        if report is not None:
            yield from report.events
            found |= report.scalings
        yield PartDone(fraction=place[0] / place[1])
    return found


def _ranges(
    image: OpenImage, source: Path, output: Path, scalings: Mapping[PlaneIndex, PlaneContrast]
) -> Sequence[Part]:
    """Cut the units of an image into parts; those of a format that only one process can write are one part."""
    count = len(image.units)
    rows, columns = image.units[0].box
    step = -(-_PIXELS // ((rows.stop - rows.start) * (columns.stop - columns.start)))
    if file_format(output) != "zarr":
        step = count
    parts = []
    for first in range(0, count, step):
        units = image.units[first : first + step]
        own = {unit.plane: scalings[unit.plane] for unit in units if unit.is_block}
        parts.append(UnitsPart(source, output, first, first + len(units), own))
    return parts


def _groups(sources: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Gather files until they are worth being handed out."""
    group, size = list[Path](), 0
    for source in sources:
        group.append(source)
        size += source.stat().st_size
        if size >= _BYTES:
            yield tuple(group)
            group, size = [], 0
    if group:
        yield tuple(group)
