"""The file formats and the names they go by."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.failures import reading

Format = Literal["tiff", "zarr", "png"]

SUFFIXES: dict[str, Format] = {".tif": "tiff", ".tiff": "tiff", ".zarr": "zarr", ".png": "png"}

ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")
"""Files of which a zarr group or array, version 3 or 2, holds at least one."""


def file_format(path: Path) -> Format:
    """Tell the format by the suffix, upper or lower case.

    Raises
    ------
    FileError
        If the suffix is none of `SUFFIXES`.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise FileError(
            f"Expected a name ending in {', '.join(SUFFIXES)}, got {path.name}; choose one of them."
        ) from None


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr group or array.

    Raises
    ------
    FileError
        If it cannot be looked into.
    """
    with reading(path):
        return any((path / marker).is_file() for marker in ZARR_MARKERS)


def is_image_folder(path: Path) -> bool:
    """Tell whether a path is a folder that holds images rather than one zarr image.

    Raises
    ------
    FileError
        If it cannot be looked at.
    """
    with reading(path):
        return path.is_dir() and path.suffix.lower() != ".zarr" and not is_zarr(path)
