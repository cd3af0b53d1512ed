"""Open a writer for an image of any format."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.failures import writing
from napari_mitostain.image.files.formats import Format, file_format
from napari_mitostain.image.files.records import DIGESTS, CompleteImage, Completion
from napari_mitostain.image.files.resumable import ResumableWriter
from napari_mitostain.image.files.write_png import PngWriter
from napari_mitostain.image.files.write_tiff import OmeTiffWriter, TiffCopyWriter
from napari_mitostain.image.files.write_zarr import ZarrWriter
from napari_mitostain.image.files.writer import Provenance, StackWriter
from napari_mitostain.image.plane import Stack

_WRITERS: dict[Format, type[StackWriter]] = {"tiff": OmeTiffWriter, "zarr": ZarrWriter, "png": PngWriter}


def open_writer(path: Path | str, like: Stack, provenance: Provenance, overwrite: bool = False) -> StackWriter:
    """Prepare to write the stain of a stack: the same axes and scale, one channel.

    The axes keep the stack's order as far as the format allows: OME-TIFF ends with Y, X (so "XYZ" becomes "ZYX" and
    "CYXT" becomes "CTYX"), OME-Zarr is ordered T, C, Z, Y, X. Planes are handed over as (Y, X) in any case. TIFF
    readers, ours included, leave out axes of length 1.

    Parameters
    ----------
    path : Path or str
        ``.tif``, ``.tiff`` (OME-TIFF, float32), ``.zarr`` (OME-Zarr 0.5, float32) or ``.png`` (16 bit, one plane);
        its folder is made if need be.
    like : Stack
    provenance : Provenance
    overwrite : bool
        Replace an existing image once the new one is complete.

    Returns
    -------
    StackWriter
        A context manager; the file appears when it is left without an exception.

    Raises
    ------
    FileError
        If the name is taken or of no known format, the folder cannot be written, or the disk has too little room.
    ImageError
        If the format cannot hold the stack.
    """
    writer = _WRITERS[file_format(Path(path))]  # by the name given: what a link points to may have any
    path = require_writable(Path(path), overwrite)
    with writing(path):
        return writer(path, like, provenance, overwrite)


def open_resumable(path: Path, like: Stack, provenance: Provenance, overwrite: bool = False) -> ResumableWriter:
    """Prepare to write the stain of a stack over as many runs and processes as it takes; see `open_writer`.

    A run goes on with what another has left if provenance, format, axes, shape and scale are the same.
    """
    writer = _WRITERS[file_format(path)]
    path, identity = require_writable(path, overwrite), _identity(like, provenance)
    folder = path.with_name(f".{path.name}.partial-{identity[:8]}")
    with writing(path):
        partial = folder / f"image{path.suffix}"
        image = writer(path, like, provenance, overwrite, partial)
        return ResumableWriter(image, like, folder, provenance.task, identity)


def open_complete(path: Path, like: Stack, provenance: Provenance) -> CompleteImage | None:
    """Return the image that an earlier run has completed under this name; None if it differs in more than pixels.

    Provenance, format, axes, shape and scale have to be the same, as in `open_resumable`.
    """
    writer, path = _WRITERS[file_format(path)], path.resolve()
    known = Completion.of(path)
    if known is None or known.identity != _identity(like, provenance):
        return None
    return CompleteImage(writer(path, like, provenance, True, path), like, known.units)


def _identity(like: Stack, provenance: Provenance) -> str:
    """Return a digest of everything that a stain and its records depend on, beside the pixels."""
    task = [
        DIGESTS,
        provenance.software,
        provenance.to_json(),
        like.axes,
        like.shape,
        str(like.data.dtype),
        dict(like.scale),
    ]
    return hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()


def open_copy(path: Path, like: Stack, provenance: Provenance) -> StackWriter:
    """Prepare to write one channel of a stack as it is, to OME-TIFF of the stack's own data type; see `open_writer`.

    A file of that name is replaced once the new one is complete.
    """
    path = require_writable(path, overwrite=True)
    with writing(path):
        return TiffCopyWriter(path, like, provenance, overwrite=True)


def require_writable(path: Path, overwrite: bool) -> Path:
    """Return the place an image will have; see `require_place`.

    Raises
    ------
    FileError
        Also if the name is of no known format.
    """
    return require_place(path, overwrite, is_folder=file_format(path) == "zarr")


def require_place(path: Path, overwrite: bool, is_folder: bool = False) -> Path:
    """Return the place a file will have, and make its folder, before the work that the file is to hold.

    Raises
    ------
    FileError
        If the name is taken, or that of a folder which is not to be one, or its own folder cannot be written.
    """
    with writing(path):
        path = path.resolve()  # a link stays a link: what it points to is replaced
        if path.exists() and not overwrite:
            raise FileError(f"Expected a new file, got {path}, which exists; add --overwrite or choose another name.")
        if path.is_dir() and not is_folder:
            raise FileError(f"Expected a file name, got the folder {path}; choose another name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise FileError(f"Expected a folder that can be written, got {path.parent}; choose another one.")
    return path
