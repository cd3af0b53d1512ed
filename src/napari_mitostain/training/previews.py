"""Previews of a run: a few fixed crops, as they are and as each kept epoch stains them. Loads no torch."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mitostain.image.files import atomic_write
from napari_mitostain.image.files.failures import reading, writing

Images = NDArray[np.uint8]

_EPOCH = re.compile(r"epoch-(\d+)\.tif")
_SPREAD = 3.0
"""Scaled brightfield beyond it, on either side, is black or white in a preview."""


@dataclass(frozen=True, slots=True)
class Previews:
    """Fixed crops of a run, 8-bit.

    Attributes
    ----------
    brightfield, truth : ndarray of uint8
        The crops (N, Y, X).
    stains : mapping of int to Path
        Epochs and the files, for `read_preview`, of what their generators make of the crops.
    start : Path, optional
        The same of the model that the run started from.
    """

    brightfield: Images
    truth: Images
    stains: dict[int, Path] = field(default_factory=dict)
    start: Path | None = None


class PreviewFolder:
    """The previews of one run.

    Parameters
    ----------
    path : Path
        Made with the first preview.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_crops(self, brightfield: Sequence[NDArray[Any]], truth: Sequence[NDArray[Any]]) -> None:
        """Write scaled brightfield and fluorescence in [0, 1], each (Y, X) of one size."""
        self._write("brightfield", [(crop / _SPREAD + 1) / 2 for crop in brightfield])
        self._write("truth", truth)

    def write_stains(self, epoch: int | None, stains: Sequence[NDArray[Any]]) -> None:
        """Write what an epoch's generator, or the starting model, makes of the crops: (Y, X) in [0, 1] each."""
        self._write("start" if epoch is None else f"epoch-{epoch:04d}", stains)

    def read(self) -> Previews | None:
        """Return the previews that are there; None before the first.

        Raises
        ------
        FileError
            If the crops are damaged.
        """
        crops = [self.path / f"{name}.tif" for name in ("brightfield", "truth")]
        if not all(path.is_file() for path in crops):
            return None
        found = {
            int(match[1]): path for path in self.path.glob("epoch-*.tif") if (match := _EPOCH.fullmatch(path.name))
        }
        start = self.path / "start.tif"
        return Previews(
            brightfield=read_preview(crops[0]),
            truth=read_preview(crops[1]),
            stains=dict(sorted(found.items())),
            start=start if start.is_file() else None,
        )

    def _write(self, name: str, images: Sequence[NDArray[Any]]) -> None:
        path = self.path / f"{name}.tif"
        with writing(path):
            self.path.mkdir(exist_ok=True)
        levels = np.stack([np.rint(image.clip(0, 1) * 255).astype(np.uint8) for image in images])  # (N, Y, X)
        file = io.BytesIO()
        tifffile.imwrite(file, levels, photometric="minisblack", compression="zlib")
        atomic_write(path, file.getvalue())


def read_preview(path: Path) -> Images:
    """Read one file of previews: uint8 (N, Y, X).

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with reading(path):
        images: Images = tifffile.imread(path)
        return images.reshape(-1, *images.shape[-2:])
