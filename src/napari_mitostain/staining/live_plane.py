"""A plane made ready to be stained tile by tile, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import (
    PlaneContrast,
    PlaneIndex,
    Stack,
    background_reach,
    fill_non_finite,
    scale_brightfield,
)
from napari_mitostain.staining.resampling import box_in_plane, resampled, resampled_shape, resized_part, source_of
from napari_mitostain.tiling import Box

WHOLE_PX = 9 * 2**20
"""Pixels of the largest plane that is scaled as a whole before its first tile: on one core, a fifth of a second."""

_BLOCKS, _BLOCK_PX = 4, 256
"""Blocks along each side of a larger plane that its contrast is estimated from, and their side."""

Place = tuple[int, int]
"""Row and column of a tile in the grid of a plane."""


@dataclass(frozen=True)
class LiveLevel:
    """One resolution of a source, and the tiles that its planes are cut into.

    Attributes
    ----------
    stack : Stack
    zoom : float
        The model's pixels per pixel of the level.
    """

    stack: Stack
    zoom: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane in the model's pixels, which the grid of tiles lies on."""
        return resampled_shape(self.stack.plane_shape, self.zoom)

    def box(self, place: Place, side: int) -> Box:
        """Return the rows and columns of a plane that a tile covers; all tiles cover each pixel once."""
        core = tuple(
            slice(number * side, min((number + 1) * side, length))
            for number, length in zip(place, self.shape, strict=True)
        )
        covered = box_in_plane((core[0], core[1]), self.zoom, self.stack.plane_shape)
        rows, columns = (
            slice(of.start, length if part.stop == end else of.stop)
            for of, part, end, length in zip(covered, core, self.shape, self.stack.plane_shape, strict=True)
        )
        return rows, columns

    def tiles(self, box: Box, centre: tuple[float, float], side: int) -> list[Place]:
        """List the tiles that cover a box of a plane, those nearest to a point of it first."""
        numbers = [
            range(int(part.start * self.zoom) // side, (min(ceil(part.stop * self.zoom), length) - 1) // side + 1)
            for part, length in zip(box, self.shape, strict=True)
        ]
        at = [place * self.zoom / side - 0.5 for place in centre]
        return sorted(
            ((row, column) for row in numbers[0] for column in numbers[1]),
            key=lambda place: (place[0] - at[0]) ** 2 + (place[1] - at[1]) ** 2,
        )


class LivePlane(Protocol):
    """A plane of a level, scaled as `stain_stack` would scale it."""

    is_blank: bool

    def scaled(self, box: Box) -> NDArray[np.float32]:
        """Return a box of the plane in the model's pixels."""
        ...


def open_plane(level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings) -> LivePlane:
    """Read what has to be known of a plane before its first tile."""
    pixels = max(np.prod(level.shape), np.prod(level.stack.plane_shape))
    return (_Whole if pixels <= WHOLE_PX else _InParts)(level, index, scaling)


class _Whole:
    """A plane that was read and scaled as a whole."""

    def __init__(self, level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings) -> None:
        usable = fill_non_finite(level.stack.read(index))
        self._scaled = scale_brightfield(resampled(usable, level.zoom), scaling)
        self.is_blank = not self._scaled.any()

    def scaled(self, box: Box) -> NDArray[np.float32]:
        return self._scaled[box]


class _InParts:
    """A plane too large for that: only what a tile needs is read, and the plane's contrast is an estimate."""

    def __init__(self, level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings) -> None:
        self._level, self._index, self._scaling = level, index, scaling
        self._contrast = PlaneContrast.estimate([self._grown(block) for block in self._blocks()], scaling)
        self.is_blank = self._contrast.contrast == 0

    def scaled(self, box: Box) -> NDArray[np.float32]:
        part, inner = self._grown(box)
        return self._contrast.scale(part, self._scaling)[inner]

    def _grown(self, box: Box) -> tuple[NDArray[Any], Box]:
        """Read a box with what its background depends on, and tell where it lies in that."""
        reach = background_reach(self._scaling)
        rows, columns = (
            slice(max(0, side.start - reach), min(side.stop + reach, length))
            for side, length in zip(box, self._level.shape, strict=True)
        )
        inner = tuple(
            slice(side.start - of.start, side.stop - of.start) for side, of in zip(box, (rows, columns), strict=True)
        )
        return self._resampled((rows, columns)), (inner[0], inner[1])

    def _resampled(self, box: Box) -> NDArray[Any]:
        level = self._level
        if level.zoom == 1:
            return fill_non_finite(level.stack.read(self._index, box))
        whole = level.stack.plane_shape
        seen = source_of(box, level.shape, whole)
        part = fill_non_finite(level.stack.read(self._index, seen)).astype(np.float64)
        return resized_part(part, seen, whole, box, level.shape)

    def _blocks(self) -> list[Box]:
        """Spread blocks evenly over the plane."""
        spans = [
            [slice(start, min(start + _BLOCK_PX, length)) for start in _spread(length)] for length in self._level.shape
        ]
        return [(rows, columns) for rows in spans[0] for columns in spans[1]]


def _spread(length: int) -> list[int]:
    return [max(0, round((number + 0.5) * length / _BLOCKS) - _BLOCK_PX // 2) for number in range(_BLOCKS)]
