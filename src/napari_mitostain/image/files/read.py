"""Open an image of any format, and list the images of a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mitostain.errors import FileError, MitostainError
from napari_mitostain.image.files.failures import reading
from napari_mitostain.image.files.formats import SUFFIXES, Format, file_format, is_zarr
from napari_mitostain.image.files.read_png import read_png
from napari_mitostain.image.files.read_tiff import read_tiff
from napari_mitostain.image.files.read_zarr import read_zarr
from napari_mitostain.image.plane import Stack

_PART = re.compile(r"_\d+(?=\.ome\.tiff?$)", re.IGNORECASE)
"""The number of a further file of an OME-TIFF."""

_READERS: dict[Format, Callable[[Path], Stack]] = {"tiff": read_tiff, "zarr": read_zarr, "png": read_png}


def read_stack(path: Path | str) -> Stack:
    """Open an image; its planes are loaded when they are read.

    Parameters
    ----------
    path : Path or str
        ``.tif`` or ``.tiff`` (OME-TIFF, ImageJ, plain), ``.zarr`` (OME-Zarr 0.4 and 0.5, plain arrays) or ``.png``.

    Returns
    -------
    Stack
        With the file's own axes, and its scale as far as the file tells.

    Raises
    ------
    FileError
        If the file is missing, damaged, or of an unknown format; also later, when a plane cannot be read.
    ImageError
        If the file is no stack of grayscale planes.
    """
    path = Path(path)
    with reading(path):
        if not path.exists():
            raise FileError(f"Expected an image, got {path}, which does not exist; check the name.")
        if path.is_dir() and (is_zarr(path) or path.suffix.lower() == ".zarr"):
            return read_zarr(path)
        if path.is_dir():
            raise FileError(f"Expected an image, got the folder {path}; choose one of the images in it.")
        form = file_format(path)
        if form == "zarr":
            raise FileError(f"Expected a zarr folder, got the file {path}; unpack it first.")
        return _READERS[form](path)


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder, sorted by name; hidden files do not count.

    Raises
    ------
    FileError
        If there is no such folder, or no image in it.
    """
    with reading(folder):
        if not folder.is_dir():
            raise FileError(f"Expected a folder of images, got {folder}, which is none; check the name.")
        found = sorted(path for path in folder.iterdir() if _looks_like_image(path))
    if not found:
        raise FileError(f"Expected images ({', '.join(SUFFIXES)}) in {folder}, got none; choose another folder.")
    return found


def further_parts(files: Sequence[Path]) -> dict[Path, Path]:
    """Map images that are a further part of another, to that one, as Micro-Manager writes large OME-TIFFs.

    Parameters
    ----------
    files : sequence of Path
        Of one folder.

    Returns
    -------
    dict of Path to Path
        From ``name_1.ome.tif`` to ``name.ome.tif``, where the planes of the latter lie in both.
    """
    by_name, known, found = {path.name: path for path in files}, dict[Path, tuple[Path, ...]](), dict[Path, Path]()
    for path in files:
        first = by_name.get(_PART.sub("", path.name), path)
        if first != path and path.absolute() in (known.get(first) or known.setdefault(first, _files_of(first))):
            found[path] = first
    return found


def _files_of(path: Path) -> tuple[Path, ...]:
    try:
        return tuple(file.absolute() for file in read_stack(path).files)
    except MitostainError:  # whoever reads it will say so
        return ()


def _looks_like_image(path: Path) -> bool:
    form = SUFFIXES.get(path.suffix.lower())
    return form is not None and not path.name.startswith(".") and path.is_dir() == (form == "zarr")
