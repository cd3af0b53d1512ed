"""Stain files and folders: the output appears once it is complete, and says where it comes from."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.events import Event, FileDone, Notice, PlaneDone, TileDone
from napari_mitostain.image import Stack, notice_of_first_channel, require_apart
from napari_mitostain.image.files import SUFFIXES, Provenance, list_images, open_writer, read_stack
from napari_mitostain.model.card import SAME_SIZE
from napari_mitostain.model.device import choose_device, choose_dtype
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.stack import stain_stack, zoom_for

CHANNEL_NAME = "Mitochondria (digitally predicted)"


def stain_file(
    source: Path,
    output: Path,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Generator[Event, None, None]:
    """Stain an image file into another, plane by plane; the output appears once it is complete.

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
        Those of `stain_stack` and `Notice`, then `FileDone`.

    Raises
    ------
    FileError, ImageError
    """
    require_apart(source, output)
    stack = read_stack(source)
    chosen = channel or 0
    stack.planes(chosen)  # an unknown channel is refused before anything is written
    applied = replace(settings, resample=settings.resample and zoom_for(stack, model, settings) is not None)
    with open_writer(output, stack, provenance(model, applied, source.name, chosen), overwrite) as writer:
        yield from notice_of_first_channel(stack, channel)
        yield from _notice_of_pixel_size(stack, model, settings)
        for event in stain_stack(stack, model, settings, chosen):
            if isinstance(event, PlaneDone):
                writer.write(event.plane, event.values)
            yield event
    yield FileDone(source=str(source), output=str(output))


def stain_folder(
    source: Path,
    output: Path,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int | None = None,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Stain every image of a folder into files of the same names in another; see `stain_file`.

    An image that cannot be stained is named in a `Notice` and the others go on; fractions are of the whole folder.

    Raises
    ------
    FileError
        If the output has the name of an image, or an output exists or is an input, before any work; at the end, if an
        image could not be stained.
    """
    if output.suffix.lower() in SUFFIXES:
        raise FileError(
            f"Expected a folder for the stains of the images in {source}, got {output}, the name of an image; "
            f"leave out {output.suffix}."
        )
    files = list_images(source)
    for path in files:
        require_apart(path, output / path.name)
    if taken := [path.name for path in files if (output / path.name).exists() and not overwrite]:
        raise FileError(
            f"Expected new files in {output}, got {len(taken)} that exist ({taken[0]}, …); use --overwrite."
        )
    failed = []
    for done, path in enumerate(files):
        try:
            with closing(stain_file(path, output / path.name, model, settings, channel, overwrite)) as events:
                for event in events:
                    yield _of_folder(event, done, len(files))
        except (ImageError, FileError) as error:
            failed.append(path.name)
            yield Notice(message=f"{path.name} was left out: {error}")
    if failed:
        raise FileError(
            f"Expected {len(files)} images that can be stained, got {len(failed)} that cannot: {', '.join(failed)}."
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


def provenance(model: Model, settings: StainSettings, source: str, channel: int) -> Provenance:
    """Describe where a stain comes from; written into every output and every layer.

    "settings" are what was asked for, "computed" says where and how "auto" was decided on this machine.

    Raises
    ------
    DeviceError
        If the device that was asked for is not there.
    """
    device = choose_device(settings.device)
    precision = str(choose_dtype(settings.precision, device)).removeprefix("torch.")
    return Provenance(
        software=f"napari-mitostain {version('napari-mitostain')}",
        channel_name=CHANNEL_NAME,
        description=f"Mitochondria predicted from brightfield by model {model.card.name}. {model.card.limits}",
        details={
            "digitally_predicted": True,
            "model": model.card.name,
            "model_sha256": model.sha256,
            "settings": settings.to_dict(),
            "computed": {"device": device.type, "precision": precision},
            "source": source,
            "channel": channel,
        },
    )
