"""The fixed crops of a run, laid out as mosaics; read from its previews in a thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mitostain._qt.result_layer import empty_result
from napari_mitostain._qt.tune_history import START
from napari_mitostain.errors import FileError

_GAP_PX = 4
_WIDE = 1.2
"""Width over height, of three mosaics side by side, that suits a canvas between docks."""

Mosaic = NDArray[np.uint8]


class Previewed(Protocol):
    """What the time machine asks of a run, in a thread; see `training.run.RunFolder`."""

    path: Path

    def preview_images(self) -> Any:
        """Return `Previews`, None before the first."""
        ...


@dataclass(frozen=True)
class Crops:
    """Crops beside and below each other, in one plane.

    Attributes
    ----------
    brightfield, truth : ndarray of uint8
        Mosaics (Y, X).
    epochs : tuple of int
        Of the stains, rising; `START` is the starting model.
    pages : ndarray of uint8
        Mosaics (E, Y, X): of the epochs, then room for more.
    """

    brightfield: Mosaic
    truth: Mosaic
    epochs: tuple[int, ...]
    pages: Mosaic

    @property
    def stains(self) -> Mosaic:
        """Mosaics of the epochs (E, Y, X)."""
        return self.pages[: len(self.epochs)]


def read_crops(run: Previewed) -> Crops:
    """Read all that a run has.

    Raises
    ------
    FileError
        If it has no previews, or damaged ones.
    """
    found = run.preview_images()
    stains = dict(found.stains) if found is not None else {}
    if found is not None and found.start is not None:
        stains[START] = found.start
    if not stains:
        raise FileError(f"Expected previews in {run.path}, got none; wait until an epoch of the run is scored.")
    nothing = Crops(mosaic(found.brightfield), mosaic(found.truth), (), np.zeros((0, 0, 0), np.uint8))
    return with_epochs(nothing, stains)


def with_epochs(crops: Crops, new: Mapping[int, Path]) -> Crops:
    """Read the stains of more epochs; those whose file is gone, or damaged, are left out.

    Epochs after all others go into the room there is, which nobody sees; others are put in their place in a new array.
    """
    from napari_mitostain.training.previews import read_preview

    read = {}
    for epoch, path in new.items():
        with suppress(FileError):  # an epoch that is no longer kept
            if (page := mosaic(read_preview(path))).shape == crops.truth.shape:
                read[epoch] = page
    epochs = tuple(sorted({*crops.epochs, *read}))
    pages = crops.pages
    if len(epochs) > len(pages) or epochs[: len(crops.epochs)] != crops.epochs or {*read} & {*crops.epochs}:
        pages = empty_result((max(16, 2 * len(epochs)), *crops.truth.shape), np.uint8)
        for epoch, page in zip(crops.epochs, crops.stains, strict=True):
            pages[epochs.index(epoch)] = page
    for epoch, page in read.items():
        pages[epochs.index(epoch)] = page
    return Crops(crops.brightfield, crops.truth, epochs, pages)


def mosaic(images: NDArray[Any]) -> Mosaic:
    """Lay out images (N, Y, X) in rows and columns (Y, X), with gaps.

    Examples
    --------
    >>> mosaic(np.ones((2, 3, 3))).shape
    (10, 3)
    """
    count, height, width = images.shape
    columns = min(range(1, count + 1), key=lambda columns: _unfit(columns, count, height, width))
    rows = -(-count // columns)
    plane = np.zeros((rows * (height + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX), np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + _GAP_PX), (number % columns) * (width + _GAP_PX)
        plane[top : top + height, left : left + width] = image
    return plane


def _unfit(columns: int, count: int, height: int, width: int) -> float:
    rows = -(-count // columns)
    return abs(math.log(3 * columns * width / (rows * height) / _WIDE))
