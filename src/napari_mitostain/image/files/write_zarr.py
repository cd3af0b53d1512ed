"""Write OME-Zarr 0.5."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.api import asynchronous
from zarr.storage import MemoryStore

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.axes import zarr_order
from napari_mitostain.image.files.formats import is_zarr
from napari_mitostain.image.files.text import storable
from napari_mitostain.image.files.writer import StackWriter
from napari_mitostain.image.files.zarr_here import CODEC, ArrayHere, are_chunks, here, write_chunks
from napari_mitostain.image.plane import UNITS, Box, PlaneIndex

_TYPES = {"T": "time", "C": "channel"}
_CHUNK = 1024
"""Side of a chunk in pixels: 4 MB before compression."""


@lru_cache(maxsize=16)
def _description(shape: tuple[int, ...], axes: str) -> bytes:
    """Return how zarr describes an empty stain; it takes a millisecond, and files of a folder often share it."""
    files = dict[str, Buffer]()
    height, width = shape[-2:]
    zarr.create_array(
        MemoryStore(files),
        shape=shape,
        dtype="float32",
        chunks=(*(1 for _ in shape[:-2]), min(height, _CHUNK), min(width, _CHUNK)),
        compressors=CODEC,
        fill_value=0,
        dimension_names=list(axes.lower()),
    )
    return files["zarr.json"].to_bytes()


class ZarrWriter(StackWriter):
    """Writes an OME-Zarr 0.5 image of one resolution, its axes in the order T, C, Z, Y, X that the format demands.

    A chunk never spans planes, so a plane is written, whenever it comes, without reading others back.
    """

    _array: ArrayHere

    _order = staticmethod(zarr_order)

    def _check(self) -> None:
        """Refuse to replace a file, or a folder that holds something else than zarr."""
        if self.path.exists() and not (self.path.is_dir() and (is_zarr(self.path) or not any(self.path.iterdir()))):
            raise FileError(f"Expected to replace a zarr folder, got {self.path}, which is none; choose another name.")

    def _start(self, partial: Path, /) -> None:
        """Create the group, its description and the empty array."""
        group = {"attributes": self._attributes(), "zarr_format": 3, "node_type": "group"}
        (partial / "0").mkdir(parents=True)
        (partial / "zarr.json").write_text(json.dumps(group, indent=2), encoding="ascii")
        (partial / "0" / "zarr.json").write_bytes(_description(self._shape, self._axes))

    def _open(self) -> None:
        """Open the array, to write to and to read from."""
        self._array = ArrayHere(here(asynchronous.open_array(store=self._partial, path="0", mode="r+")))

    def _put(self, position: PlaneIndex, box: Box, values: NDArray[np.float32], /) -> NDArray[Any]:
        """Write chunks of a plane."""
        height, width = self._array.chunks[-2:]
        if are_chunks(box, (height, width), self._shape[-2:]):
            write_chunks(self._partial / "0", (height, width), position, box, values)
        else:
            self._array[*position, *box] = values
        return values

    def _get(self, position: PlaneIndex, box: Box, /) -> NDArray[Any]:
        """Read chunks of a plane."""
        return np.asarray(self._array[*position, *box])

    def _finish(self) -> None:
        """Do nothing: zarr writes chunks at once."""

    def _attributes(self) -> dict[str, Any]:
        provenance = self._provenance
        multiscale = {
            "name": storable(self.path.stem),
            "axes": [self._axis(axis) for axis in self._axes],
            "datasets": [{"path": "0", "coordinateTransformations": [self._transformation()]}],
        }
        channel = {
            "label": provenance.channel_name,
            "color": "00FF00",
            "active": True,
            "window": {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0},
        }
        record = {
            "software": provenance.software,
            "channel_name": provenance.channel_name,
            "description": provenance.description,
            "details": json.loads(provenance.to_json()),
        }
        return {
            "ome": {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": [channel]}},
            "napari_mitostain": record,
        }

    def _axis(self, axis: str) -> dict[str, str]:
        described = {"name": axis.lower(), "type": _TYPES.get(axis, "space")}
        return described | ({"unit": UNITS[axis]} if axis in self._like.scale else {})

    def _transformation(self) -> dict[str, Any]:
        return {"type": "scale", "scale": [float(self._like.scale.get(axis, 1)) for axis in self._axes]}
