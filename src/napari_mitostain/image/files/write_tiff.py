"""Write OME-TIFF, planes in any order."""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffWriter

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.axes import tiff_order
from napari_mitostain.image.files.text import storable
from napari_mitostain.image.files.writer import Provenance, StackWriter
from napari_mitostain.image.plane import Box, PlaneIndex, Stack

_CLASSIC_LIMIT = 2**32
_HEADER = 2**20
_PAGE_HEADER = 1024
"""Generous bounds, in bytes, for what the file holds beside the pixels."""


def file_size(shape: Sequence[int], itemsize: int = 4) -> int:
    """Bound the size in bytes of a TIFF of this shape (..., Y, X), by default of float32."""
    return itemsize * math.prod(shape) + _PAGE_HEADER * math.prod(shape[:-2]) + _HEADER


def needs_bigtiff(shape: Sequence[int], itemsize: int = 4) -> bool:
    """Tell whether a stack of this shape, by default of float32, exceeds the 4 GiB that 32-bit offsets can address."""
    return file_size(shape, itemsize) > _CLASSIC_LIMIT


_OME_TYPES = {"u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"}
"""Types of OME-TIFF."""


class OmeTiffWriter(StackWriter):
    """Writes float32 OME-TIFF.

    tifffile lays out all pages of the empty file; each plane then is written, whenever it comes, to its own place.
    So no more than one plane is held, and a full disk is an ordinary error, which it would not be in a memory map.

    OME-TIFF stores whole planes, so Y and X become the last two axes; T, C and Z keep their order.
    """

    _file: IO[bytes] | None = None
    _offset: int = 0
    _place: threading.Lock
    """Held by the thread that has moved to a place in the file."""

    _order = staticmethod(tiff_order)

    def _check(self) -> None:
        """Refuse a disk with less room than the file takes."""
        if self._partial.exists():  # its room is taken already
            return
        free, size = shutil.disk_usage(self.path.parent).free, file_size(self._shape, self.dtype.itemsize)
        if free < size:
            raise FileError(
                f"Expected {size / 1e6:.0f} MB of free disk space for {self.path}, got {free / 1e6:.0f} MB; "
                "make room or choose another folder."
            )

    def _start(self, partial: Path, /) -> None:
        """Write the file without its pixels."""
        with TiffWriter(
            partial, ome=True, bigtiff=needs_bigtiff(self._shape, self.dtype.itemsize), byteorder="<"
        ) as tif:
            tif.write(
                None,
                shape=self._shape,
                dtype=self.dtype,
                photometric="minisblack",
                software=self._provenance.software,
                metadata=self._metadata(),
            )

    def _open(self) -> None:
        """Open the file where its pixels begin."""
        with TiffFile(self._partial) as tif:
            self._offset = tif.pages.first.dataoffsets[0]
        self._file, self._place = self._partial.open("r+b"), threading.Lock()

    def _put(self, position: PlaneIndex, box: Box, values: NDArray[Any], /) -> NDArray[Any]:
        """Write each run of pixels to its place in the file."""
        assert self._file is not None
        stored = values.astype(self.dtype.newbyteorder("<"), copy=False)
        with self._place:
            for place, lines in self._runs(position, box):
                self._file.seek(place)
                self._file.write(np.ascontiguousarray(stored[lines]).data)
            self._file.flush()  # what is recorded as finished is to be there after a kill
        return values

    def _get(self, position: PlaneIndex, box: Box, /) -> NDArray[Any]:
        """Read each run of pixels from its place in the file."""
        assert self._file is not None
        values = np.empty([side.stop - side.start for side in box], self.dtype.newbyteorder("<"))
        with self._place:
            for place, lines in self._runs(position, box):
                self._file.seek(place)
                read = self._file.read(values[lines].nbytes)
                values[lines] = np.frombuffer(read, values.dtype).reshape(values[lines].shape)
        return values.astype(self.dtype, copy=False)

    def _runs(self, position: PlaneIndex, box: Box) -> Iterator[tuple[int, slice]]:
        """Tell where in the file pixels of a box lie without a gap, and which of the box's rows those are."""
        height, width = self._shape[-2:]
        number = int(np.ravel_multi_index(position, self._shape[:-2])) if position else 0
        rows, columns = box
        step = rows.stop - rows.start if columns == slice(0, width) else 1
        for row in range(rows.start, rows.stop, step):
            pixel = (number * height + row) * width + columns.start
            yield self._offset + pixel * self.dtype.itemsize, slice(row - rows.start, row - rows.start + step)

    def _finish(self) -> None:
        """Bring all bytes to the disk, so that one too full is noticed before a former file is replaced."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())

    def _release(self) -> None:
        """Close the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _metadata(self) -> dict[str, Any]:
        scale, provenance = self._like.scale, self._provenance
        sizes: dict[str, Any] = {}
        for axis in set(scale) & set("ZYX"):
            sizes |= {f"PhysicalSize{axis}": scale[axis], f"PhysicalSize{axis}Unit": "µm"}
        if "T" in scale:
            sizes |= {"TimeIncrement": scale["T"], "TimeIncrementUnit": "s"}
        return {
            "axes": self._axes,
            "Name": storable(self.path.name),
            "Creator": provenance.software,
            "Description": provenance.to_text(),
            "Channel": {"Name": [provenance.channel_name]},
            **sizes,
        }


class TiffCopyWriter(OmeTiffWriter):
    """Writes a channel of a stack with the intensities it has; what OME-TIFF has no type for, in a wider one."""

    def __init__(
        self, path: Path, like: Stack, provenance: Provenance, overwrite: bool, partial: Path | None = None
    ) -> None:
        own = np.dtype(like.data.dtype)
        self.dtype = own if own.str[1:] in _OME_TYPES else np.dtype(np.float32 if own.itemsize < 4 else np.float64)
        super().__init__(path, like, provenance, overwrite, partial)
