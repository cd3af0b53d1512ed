"""Stain folders: each image into a file of its name; what an earlier run has finished is proven and kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.events import Event, Notice, TileDone
from napari_mitostain.image import require_apart
from napari_mitostain.image.files import SUFFIXES, Completion, further_parts, list_images
from napari_mitostain.image.files.failures import writing
from napari_mitostain.model.loading import Model
from napari_mitostain.staining.files import stain_file
from napari_mitostain.staining.provenance import provenance


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
    files = yield from images_to_stain(source, output, tasks(model, settings, channel), overwrite)
    failed = list[str]()
    for done, path in enumerate(files):
        try:
            with closing(stain_file(path, output / path.name, model, settings, channel, overwrite)) as events:
                for event in events:
                    yield _of_folder(event, done, len(files))
        except (ImageError, FileError) as error:
            failed.append(path.name)
            yield left_out(path, error)
    end_of_folder(len(files), failed)


def tasks(
    model: Model, settings: StainSettings, channel: int | None, computed: Mapping[str, str] | None = None
) -> set[str]:
    """Return what the records of a folder's stains say of their task, whether an image had to be resampled or not."""
    asked = settings, replace(settings, resample=False)
    return {provenance(model, each, "", channel or 0, computed).task for each in asked}


def images_to_stain(source: Path, output: Path, own: set[str], overwrite: bool) -> Generator[Event, None, list[Path]]:
    """List the images of a folder; what `stain_folder` refuses before any work is refused here.

    Files that are a further part of another are stained with that one, as a `Notice` says.
    """
    if output.suffix.lower() in SUFFIXES:
        raise FileError(
            f"Expected a folder for the stains of the images in {source}, got {output}, the name of an image; "
            f"leave out {output.suffix}."
        )
    listed = list_images(source)
    parts = further_parts(listed)
    for path, first in parts.items():
        yield Notice(message=f"{path.name} is a part of {first.name}, and is stained with it.")
    files = [path for path in listed if path not in parts]
    for path in files:
        require_apart(path, output / path.name)
    with writing(output):
        existing = [output / path.name for path in files if (output / path.name).exists()]
    known = {path: Completion.of(path.resolve()) for path in existing if not overwrite}
    if taken := [path.name for path, record in known.items() if record is None or record.task not in own]:
        raise FileError(
            f"Expected new files in {output}, got {len(taken)} that exist ({taken[0]}, …); use --overwrite."
        )
    return files


def left_out(source: Path, error: Exception) -> Notice:
    """Say that an image could not be stained."""
    return Notice(message=f"{source.name} was left out: {error}")


def end_of_folder(total: int, failed: Sequence[str]) -> None:
    """Raise a `FileError` if an image of a folder could not be stained."""
    if failed:
        raise FileError(
            f"Expected {total} images that can be stained, got {len(failed)} that cannot: {', '.join(failed)}."
        )


def _of_folder(event: Event, done: int, total: int) -> Event:
    """Turn the part of a file that is done into the part of the folder."""
    return replace(event, fraction=(done + event.fraction) / total) if isinstance(event, TileDone) else event
