"""Write 16-bit grayscale PNG."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_mitostain.errors import ImageError
from napari_mitostain.image.files.axes import tiff_order
from napari_mitostain.image.files.read_png import decoded
from napari_mitostain.image.files.writer import StackWriter
from napari_mitostain.image.plane import Box, PlaneIndex

_WHITE = 65535
_UM_PER_INCH = 25400


class PngWriter(StackWriter):
    """Writes a single plane, the stain 0..1 as 0..65535; values outside are clipped, NaN is black."""

    _gray: NDArray[np.uint16]

    _order = staticmethod(tiff_order)

    def _check(self) -> None:
        """Refuse more than one plane."""
        if (planes := math.prod(self._shape[:-2])) != 1:
            raise ImageError(
                f"Expected a single plane for {self.path.name}, got {planes}; choose a name in .ome.tif or .zarr."
            )

    def _start(self, partial: Path, /) -> None:
        """Begin with a black picture, on disk too, so that a folder that refuses is noticed before the work."""
        partial.touch()

    def _open(self) -> None:
        """Take the picture that is there, if it was written."""
        is_written = self._partial.stat().st_size > 0
        self._gray = decoded(self._partial, np.uint16) if is_written else np.zeros(self._shape[-2:], np.uint16)

    def _put(self, _position: PlaneIndex, box: Box, values: NDArray[np.float32], /) -> NDArray[Any]:
        """Keep what comes until the end: PNG is written in one go."""
        self._gray[box] = np.rint(np.nan_to_num(values, nan=0).clip(0, 1) * _WHITE).astype(np.uint16)
        return self._gray[box]

    def _get(self, _position: PlaneIndex, box: Box, /) -> NDArray[np.uint16]:
        """Return what came in this run, or before."""
        return self._gray[box]

    def _finish(self) -> None:
        """Write the picture."""
        scale, provenance, text = self._like.scale, self._provenance, PngInfo()
        text.add_itxt("Software", provenance.software)
        text.add_itxt("Title", provenance.channel_name)
        text.add_itxt("Description", provenance.to_text())
        known = "X" in scale and "Y" in scale
        resolution = {"dpi": (_UM_PER_INCH / scale["X"], _UM_PER_INCH / scale["Y"])} if known else {}
        # Level 1 takes a third of the default's time and 3 % more bytes (a 1024 × 1024 ramp with noise).
        Image.fromarray(self._gray).save(self._partial, format="PNG", pnginfo=text, compress_level=1, **resolution)
