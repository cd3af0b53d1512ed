"""Stain files and folders: an output appears once it is complete, says where it comes from, and can be gone on with."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.events import Event, FileDone, Notice, TileDone, UnitsKept
from napari_mitostain.image import Stack, Unit, notice_of_first_channel, require_apart, units_of
from napari_mitostain.image.files import (
    SUFFIXES,
    Provenance,
    ResumableWriter,
    list_images,
    open_resumable,
    read_stack,
    unfinished,
)
from napari_mitostain.model.card import SAME_SIZE
from napari_mitostain.model.device import choose_device, choose_dtype
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.finished import FinishedFiles
from napari_mitostain.staining.stack import zoom_for
from napari_mitostain.staining.units import kept_notice, require_contrast, stain_units

CHANNEL_NAME = "Mitochondria (digitally predicted)"


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
    what is finished stays in a hidden folder beside the output, and the same call goes on with it.

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
        Replace an existing output; never the source itself.

    Yields
    ------
    Event
        Those of `stain_units`, then `FileDone`.

    Raises
    ------
    FileError, ImageError
    """
    image, kept = open_image(source, output, model, settings, channel, overwrite), 0
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
    """An image that is to be stained: what is read, what is written, in which units, and what the user should know."""

    stack: Stack
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
    chosen = channel or 0
    zoom = zoom_for(stack, model, settings)
    applied = replace(settings, resample=settings.resample and zoom is not None)
    units = units_of(
        stack, chosen, whole=zoom not in (None, 1.0)
    )  # refuses an unknown channel before anything is written
    writer = open_resumable(output, stack, provenance(model, applied, source.name, chosen, computed), overwrite)
    notices = [
        *notice_of_first_channel(stack, channel),
        *_notice_of_pixel_size(stack, model, settings),
        *_notice_of_others(output, writer),
    ]
    return OpenImage(stack, writer, chosen, units, notices)


def stain_folder(
    source: Path,
    output: Path,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Stain every image of a folder into files of the same names in another; see `stain_file`.

    An image that cannot be stained is named in a `Notice` and the others go on; fractions are of the whole folder. A
    stain that an earlier call finished with the same model and settings is kept, if it and its source are on the disk
    as they were then.

    Raises
    ------
    FileError
        If the output has the name of an image, or an output exists or is an input, before any work; at the end, if an
        image could not be stained.
    """
    finished = FinishedFiles(output, provenance(model, settings, "", channel or 0))
    files = images_to_stain(source, finished, overwrite)
    failed, kept = list[str](), 0
    for done, path in enumerate(files):
        try:
            with closing(stain_into_folder(path, finished, model, settings, channel, overwrite)) as events:
                for event in events:
                    kept += isinstance(event, FileDone) and event.kept
                    yield _of_folder(event, done, len(files))
        except (ImageError, FileError) as error:
            failed.append(path.name)
            yield left_out(path, error)
    yield from end_of_folder(len(files), kept, failed)


def images_to_stain(source: Path, finished: FinishedFiles, overwrite: bool) -> list[Path]:
    """List the images of a folder; what `stain_folder` refuses before any work is refused here."""
    output = finished.folder
    if output.suffix.lower() in SUFFIXES:
        raise FileError(
            f"Expected a folder for the stains of the images in {source}, got {output}, the name of an image; "
            f"leave out {output.suffix}."
        )
    files = list_images(source)
    for path in files:
        require_apart(path, output / path.name)
    existing = [output / path.name for path in files if (output / path.name).exists()]
    if taken := [path.name for path in existing if not overwrite and not finished.is_ours(path)]:
        raise FileError(
            f"Expected new files in {output}, got {len(taken)} that exist ({taken[0]}, …); use --overwrite."
        )
    return files


def stain_into_folder(
    source: Path,
    finished: FinishedFiles,
    model: Model,
    settings: StainSettings,
    channel: int | None,
    overwrite: bool,
) -> Generator[Event, None, None]:
    """Stain a file into a folder of stains, unless it is finished there; see `stain_file`."""
    output = finished.folder / source.name
    if finished.is_finished(source, output):
        yield FileDone(source=str(source), output=str(output), kept=True)
        return
    try:
        for event in stain_file(source, output, model, settings, channel, overwrite or finished.is_begun(output)):
            if isinstance(event, FileDone):
                finished.finish(source, output)
            elif not finished.is_begun(output):
                finished.begin(output)
            yield event
    except BaseException:
        finished.forget(output)
        raise


def left_out(source: Path, error: Exception) -> Notice:
    """Say that an image could not be stained."""
    return Notice(message=f"{source.name} was left out: {error}")


def end_of_folder(total: int, kept: int, failed: Sequence[str]) -> Iterator[Notice]:
    """Say how many stains were kept.

    Raises
    ------
    FileError
        If an image could not be stained.
    """
    if kept:
        yield Notice(
            message=f"{kept} of {total} images were stained by an earlier run; the digests are those it recorded."
        )
    if failed:
        raise FileError(
            f"Expected {total} images that can be stained, got {len(failed)} that cannot: {', '.join(failed)}."
        )


def _of_folder(event: Event, done: int, total: int) -> Event:
    """Turn the part of a file that is done into the part of the folder."""
    return replace(event, fraction=(done + event.fraction) / total) if isinstance(event, TileDone) else event


def _notice_of_pixel_size(stack: Stack, model: Model, settings: StainSettings) -> Iterator[Notice]:
    """Say that the generator will see cells of another size than it was trained on, unless it will not."""
    zoom = None if settings.resample else stack.zoom_to(model.card.pixel_size_um)
    if zoom is not None and abs(zoom - 1) > SAME_SIZE:
        yield Notice(
            message=f"{stack.name} has pixels of {stack.pixel_size:.3g} µm, {model.card.name} was trained on "
            f"{model.card.pixel_size_um:.3g} µm; expect a poor stain, or bring it to that size with --resample."
        )


def _notice_of_others(output: Path, writer: ResumableWriter) -> Iterator[Notice]:
    """Say that something else was begun under this name; it is somebody's work, so it stays."""
    for folder in unfinished(output):
        if folder != writer.folder:
            yield Notice(
                message=f"An unfinished stain of another model, input or other settings is not gone on with: {folder}; "
                "delete it if nobody needs it."
            )


def computed_here(settings: StainSettings) -> dict[str, str]:
    """Return the device and the precision that "auto" stands for on this machine.

    Raises
    ------
    DeviceError
        If the device that was asked for is not there.
    """
    device = choose_device(settings.device)
    precision = str(choose_dtype(settings.precision, device)).removeprefix("torch.")
    return {"device": device.type, "precision": precision}


def provenance(
    model: Model, settings: StainSettings, source: str, channel: int, computed: Mapping[str, str] | None = None
) -> Provenance:
    """Describe where a stain comes from; written into every output and every layer.

    "settings" are what was asked for, "computed" says where and how "auto" was decided, by default on this machine.

    Raises
    ------
    DeviceError
        If the device that was asked for is not there.
    """
    return Provenance(
        software=f"napari-mitostain {version('napari-mitostain')}",
        channel_name=CHANNEL_NAME,
        description=f"Mitochondria predicted from brightfield by model {model.card.name}. {model.card.limits}",
        details={
            "digitally_predicted": True,
            "model": model.card.name,
            "model_sha256": model.sha256,
            "settings": settings.to_dict(),
            "computed": dict(computed_here(settings) if computed is None else computed),
            "source": source,
            "channel": channel,
        },
    )
