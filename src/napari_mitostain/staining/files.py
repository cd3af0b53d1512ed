"""Stain files and folders: an output appears once it is complete, says where it comes from, and can be gone on with."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError
from napari_mitostain.events import Event, FileDone, Notice, UnitsKept
from napari_mitostain.image import Stack, Unit, notices_of_first, require_apart, units_of
from napari_mitostain.image.files import (
    CompleteImage,
    ResumableWriter,
    open_complete,
    open_resumable,
    read_stack,
    unfinished,
)
from napari_mitostain.model.card import SAME_SIZE
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.provenance import provenance
from napari_mitostain.staining.stack import zoom_for
from napari_mitostain.staining.units import are_finished, kept_notice, require_contrast, stain_units


def stain_file(
    source: Path,
    output: Path,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Generator[Event, None, None]:
    """Stain an image file into another, unit by unit; the output appears once it is complete.

    A unit is a plane, or a block of one that is too large for memory. Whatever ends the job before, a kill included,
    what is finished stays in a hidden folder beside the output, and the same call goes on with it. A complete output is
    kept by the same call, once digests prove that it is what would be written.

    Parameters
    ----------
    source : Path
        OME-TIFF, ImageJ or plain TIFF, OME-Zarr or PNG.
    output : Path
        Ends in ``.tif``, ``.tiff``, ``.zarr`` or ``.png``; has the axes and pixel size of the source.
    model : Model
    settings : StainSettings
    channel : int, optional
        Position of brightfield along axis C; by default the first, and a `Notice` if there are several.
    overwrite : bool
        Replace an existing output that is anything else; never the source itself.

    Yields
    ------
    Event
        Those of `stain_units`, then `FileDone`.

    Raises
    ------
    FileError, ImageError
    """
    image, kept = open_image(source, output, model, settings, channel, overwrite), 0
    if (yield from is_done(image, model, settings, overwrite)):
        yield FileDone(source=str(source), output=str(output), kept=True)
        return
    with image.writer as writer:
        yield from image.notices
        for event in stain_units(image.stack, writer, model, settings, image.channel, image.units):
            kept += event.count if isinstance(event, UnitsKept) else 0
            yield event
        require_contrast(image.stack, writer, image.units)
    yield from kept_notice(kept, image.stack)
    yield FileDone(source=str(source), output=str(output))


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image that is to be stained: what is read, what is written, in which units, and what the user should know.

    Where an earlier run has completed it, that is there too.
    """

    stack: Stack
    complete: CompleteImage | None
    writer: ResumableWriter
    channel: int
    units: Sequence[Unit]
    notices: Sequence[Notice]


def open_image(
    source: Path,
    output: Path,
    model: Model,
    settings: StainSettings,
    channel: int | None,
    overwrite: bool,
    computed: Mapping[str, str] | None = None,
) -> OpenImage:
    """Open an image and the writer of its stain; see `stain_file` and `provenance`."""
    require_apart(source, output)
    stack = read_stack(source)
    for file in stack.files:
        require_apart(file, output)
    chosen = channel or 0
    zoom = zoom_for(stack, model, settings)
    applied = replace(settings, resample=settings.resample and zoom is not None)
    units = units_of(
        stack, chosen, whole=zoom not in (None, 1.0)
    )  # refuses an unknown channel before anything is written
    origin = provenance(model, applied, source.name, chosen, computed)
    complete = open_complete(output, stack, origin)
    writer = open_resumable(output, stack, origin, overwrite or complete is not None)
    notices = [
        *notices_of_first(stack, channel),
        *_notice_of_pixel_size(stack, model, settings),
        *_notice_of_others(output, writer),
    ]
    return OpenImage(stack, complete, writer, chosen, units, notices)


def is_done(image: OpenImage, model: Model, settings: StainSettings, overwrite: bool) -> Generator[Event, None, bool]:
    """Tell whether an earlier run has completed an image, and input and stain are what they were; yields `Measured`.

    Raises
    ------
    FileError
        If one of them was changed since or cannot be read, unless the stain may be replaced.
    """
    if image.complete is None:
        return False
    try:
        with image.complete as complete:
            is_same = yield from are_finished(image.stack, complete, model, settings, image.units)
    except FileError:
        if not overwrite:
            raise
        is_same = False
    if is_same:
        image.writer.sweep()
    elif not overwrite:
        raise FileError(
            f"Expected {image.complete.path} and {image.stack.name} as they were when it was stained, got one that was "
            "changed since; add --overwrite or choose another name."
        )
    return is_same


def _notice_of_pixel_size(stack: Stack, model: Model, settings: StainSettings) -> Iterator[Notice]:
    """Say that the generator will see cells of another size than it was trained on, unless it will not."""
    width, height = (stack.scale.get(axis, 0) for axis in "XY")
    if width and height and abs(width / height - 1) > SAME_SIZE:
        yield Notice(
            message=f"{stack.name} has pixels of {height:.3g} µm by {width:.3g} µm, which are taken for squares of "
            f"{height:.3g} µm; expect a poor stain, or bring it to square pixels first."
        )
    zoom = None if settings.resample else stack.zoom_to(model.card.pixel_size_um)
    if zoom is not None and abs(zoom - 1) > SAME_SIZE:
        yield Notice(
            message=f"{stack.name} has pixels of {stack.pixel_size:.3g} µm, {model.card.name} was trained on "
            f"{model.card.pixel_size_um:.3g} µm; expect a poor stain, or bring it to that size with --resample."
        )


def _notice_of_others(output: Path, writer: ResumableWriter) -> Iterator[Notice]:
    """Say that something else was begun under this name; it is somebody's work, so it stays."""
    for folder in unfinished(output.resolve()):
        if folder != writer.folder:
            yield Notice(
                message=f"An unfinished stain of another model, input or other settings is not gone on with: {folder}; "
                "delete it if nobody needs it."
            )
