"""Write OME-TIFF, planes in any order."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffWriter

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.axes import tiff_order
from napari_mitostain.image.files.text import storable
from napari_mitostain.image.files.writer import StackWriter
from napari_mitostain.image.plane import PlaneIndex

_CLASSIC_LIMIT = 2**32
_HEADER = 2**20
_PAGE_HEADER = 1024
"""Generous bounds, in bytes, for what the file holds beside the pixels."""


def file_size(shape: Sequence[int]) -> int:
    """Bound the size in bytes of a float32 TIFF of this shape (..., Y, X)."""
    return 4 * math.prod(shape) + _PAGE_HEADER * math.prod(shape[:-2]) + _HEADER


def needs_bigtiff(shape: Sequence[int]) -> bool:
    """Tell whether a float32 stack of this shape exceeds the 4 GiB that 32-bit offsets can address."""
    return file_size(shape) > _CLASSIC_LIMIT


class OmeTiffWriter(StackWriter):
    """Writes float32 OME-TIFF.

    tifffile lays out all pages of the empty file; each plane then is written, whenever it comes, to its own place.
    So no more than one plane is held, and a full disk is an ordinary error, which it would not be in a memory map.

    OME-TIFF stores whole planes, so Y and X become the last two axes; T, C and Z keep their order.
    """

    _file: IO[bytes] | None = None
    _offset: int = 0

    _order = staticmethod(tiff_order)

    def _check(self) -> None:
        """Refuse a disk with less room than the file takes."""
        free, size = shutil.disk_usage(self.path.parent).free, file_size(self._shape)
        if free < size:
            raise FileError(
                f"Expected {size / 1e6:.0f} MB of free disk space for {self.path}, got {free / 1e6:.0f} MB; "
                "make room or choose another folder."
            )

    def _start(self) -> None:
        """Write the file without its pixels."""
        with TiffWriter(self._partial, ome=True, bigtiff=needs_bigtiff(self._shape), byteorder="<") as tif:
            place = tif.write(
                None,
                shape=self._shape,
                dtype="float32",
                photometric="minisblack",
                software=self._provenance.software,
                metadata=self._metadata(),
                returnoffset=True,
            )
        assert place is not None
        self._offset = place[0]
        self._file = self._partial.open("r+b")

    def _put(self, position: PlaneIndex, plane: NDArray[np.float32], /) -> None:
        """Write a plane to its place in the file."""
        assert self._file is not None
        number = np.ravel_multi_index(position, self._shape[:-2]) if position else 0
        self._file.seek(self._offset + int(number) * plane.nbytes)
        self._file.write(plane.astype("<f4", copy=False).data)

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
