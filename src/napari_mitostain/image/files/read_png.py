"""Read grayscale PNG pictures of 8 or 16 bit."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from napari_mitostain.image.files.failures import reading
from napari_mitostain.image.files.lazy import FileArray
from napari_mitostain.image.files.units import for_printing, physical_scale
from napari_mitostain.image.plane import Stack

_DECODING = threading.Lock()
"""One picture at a time: each is decoded as a whole, and what warnings are shown is a matter of the whole process."""

_GRAY = {"1": np.dtype(bool), "L": np.dtype(np.uint8), "I;16": np.dtype(np.uint16), "I": np.dtype(np.uint16)}
"""Pixel types of Pillow's gray modes; some versions open 16 bits as mode I, which has 32."""


def read_png(path: Path) -> Stack:
    """Open a PNG.

    Raises
    ------
    FileError
        If the file is no PNG or is damaged.
    ImageError
        If it is a colour picture or a 1-bit mask.
    """
    with reading(path), _open(path) as image:
        pixels = _Pixels(path, image)
        image.verify()  # checksums of all chunks, without decoding: a cut file is found now and not mid-run
        dpi = image.info.get("dpi")
    scale = {} if dpi is None else physical_scale({"X": (_inch(dpi[0]), "inch"), "Y": (_inch(dpi[1]), "inch")})
    if any(for_printing(value, "inch") for value in scale.values()):
        scale = {}
    return Stack(FileArray(path, pixels), "YX" if len(pixels.shape) == 2 else "YXS", scale, path.name)


class _Pixels:
    """The pixels of a PNG, decoded when indexed."""

    def __init__(self, path: Path, image: Image.Image) -> None:
        gray = image.mode in _GRAY
        self._path = path
        self.shape = (image.height, image.width) if gray else (image.height, image.width, len(image.getbands()))
        self.dtype = _GRAY[image.mode] if gray else np.dtype(np.uint8)

    def __getitem__(self, key: tuple[int | slice, ...], /) -> NDArray[Any]:
        return decoded(self._path, self.dtype)[key]


def decoded(path: Path, dtype: DTypeLike) -> NDArray[Any]:
    """Return all pixels of a PNG, in a type of numbers."""
    with _DECODING, _open(path) as image:
        return np.array(image, dtype)


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():  # a large plane is no attack; Pillow still refuses twice its limit
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=["PNG"])


def _inch(dpi: float) -> float | None:
    return 1 / dpi if dpi else None
