"""A plane made ready to be stained tile by tile, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
    measure_plane,
    scale_brightfield,
    units,
)
from napari_mitostain.image.units import inside, widened
from napari_mitostain.staining.resampling import box_in_plane, resampled, resampled_shape, resized_part, source_of
from napari_mitostain.tiling import Box

_BLOCKS, _BLOCK_PX = 4, 160
"""Blocks along each side of a larger plane that its contrast is estimated from, and their side."""

MEASURED_PX = 2**28
"""Pixels of the largest plane whose contrast is measured after it was estimated: some ten seconds on one core."""

_STRIP = 512, 4096
"""Rows and columns that are measured at a time: a few chunks, and some hundredths of a second on one core."""

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

    @property
    def can_be_measured(self) -> bool:
        """Whether a plane is small enough to be read as a whole, for nothing but its contrast."""
        return bool(np.prod(self.shape) <= MEASURED_PX)

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
    """A plane of a level, scaled as `stain_stack` would scale it.

    Attributes
    ----------
    is_blank : bool
    is_exact : bool
        False while the contrast is an estimate.
    """

    is_blank: bool
    is_exact: bool

    def scaled(self, box: Box) -> NDArray[np.float32]:
        """Return a box of the plane in the model's pixels."""
        ...

    def measure(self) -> Iterator[PlaneContrast | None]:
        """Go through the plane strip by strip; the last that comes is its contrast, for `open_plane`."""
        ...


def open_plane(
    level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings, contrast: PlaneContrast | None = None
) -> LivePlane:
    """Read what has to be known of a plane before its first tile, unless its contrast was measured before."""
    if max(np.prod(level.shape), np.prod(level.stack.plane_shape)) <= units.LARGE:
        return _Whole(level, index, scaling)
    return _InParts(level, index, scaling, contrast)


class _Whole:
    """A plane that was read and scaled as a whole."""

    is_exact = True

    def __init__(self, level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings) -> None:
        usable = fill_non_finite(level.stack.read(index))
        self._scaled = scale_brightfield(resampled(usable, level.zoom), scaling)
        self.is_blank = not self._scaled.any()

    def scaled(self, box: Box) -> NDArray[np.float32]:
        return self._scaled[box]

    def measure(self) -> Iterator[PlaneContrast | None]:
        return iter(())


class _InParts:
    """A plane too large for that: only what a tile needs is read, with a contrast estimated until it is measured."""

    def __init__(
        self, level: LiveLevel, index: PlaneIndex, scaling: ScalingSettings, contrast: PlaneContrast | None = None
    ) -> None:
        self._level, self._scaling = level, scaling
        self._stack, self._index = _alone(level.stack, index)
        self.is_exact = contrast is not None
        self._contrast = contrast or PlaneContrast.estimate([self._grown(block) for block in self._blocks()], scaling)
        self.is_blank = self._contrast.contrast == 0

    def scaled(self, box: Box) -> NDArray[np.float32]:
        part, inner = self._grown(box)
        return self._contrast.scale(part)[inner]

    def measure(self) -> Iterator[PlaneContrast | None]:
        return measure_plane(self._resampled, self._level.shape, list(self._strips()), self._scaling)

    def _grown(self, box: Box) -> tuple[NDArray[Any], Box]:
        """Read a box with what its background depends on, and tell where it lies in that."""
        around = widened(box, background_reach(self._scaling), self._level.shape)
        return self._resampled(around), inside(box, around)

    def _resampled(self, box: Box) -> NDArray[Any]:
        level = self._level
        if level.zoom == 1:
            return self._stack.read(self._index, box)
        whole = level.stack.plane_shape
        seen = source_of(box, level.shape, whole)
        part = fill_non_finite(self._stack.read(self._index, seen)).astype(np.float64)
        return resized_part(part, seen, whole, box, level.shape)

    def _blocks(self) -> list[Box]:
        """Spread blocks over the plane, each somewhere in its part of it: planes may repeat themselves."""
        random = np.random.default_rng(0)
        return [
            (_within(row, self._level.shape[0], random), _within(column, self._level.shape[1], random))
            for row in range(_BLOCKS)
            for column in range(_BLOCKS)
        ]

    def _strips(self) -> Iterator[Box]:
        height, width = self._level.shape
        for top in range(0, height, _STRIP[0]):
            for left in range(0, width, _STRIP[1]):
                yield slice(top, min(top + _STRIP[0], height)), slice(left, min(left + _STRIP[1], width))


def _alone(stack: Stack, index: PlaneIndex) -> tuple[Stack, PlaneIndex]:
    """Return a plane as a stack of its own if dask holds it, which goes through all its chunks for each part."""
    if not hasattr(stack.data, "__dask_graph__"):
        return stack, index
    import dask

    (plane,) = dask.optimize(  # type: ignore[attr-defined,no-untyped-call]
        stack.data[stack.slices(index)]
    )
    return replace(stack, data=plane, axes="".join(axis for axis in stack.axes if axis in "YX")), ()


def _within(number: int, length: int, random: np.random.Generator) -> slice:
    first, last = number * length // _BLOCKS, (number + 1) * length // _BLOCKS
    start = first + int(random.integers(0, max(1, last - first - _BLOCK_PX)))
    return slice(start, min(start + _BLOCK_PX, length))
