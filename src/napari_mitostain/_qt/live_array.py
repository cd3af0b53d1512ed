"""A live stain as an array of the whole stack: whoever slices it gets what is stained by then, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from napari.layers._multiscale_data import MultiScaleData
from numpy.typing import NDArray

from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

Stained = tuple[Box, NDArray[np.float32]]
"""Rows and columns of a plane of a level, and the stain there."""

Find = Callable[[PlaneIndex, Box], Sequence[Stained]]
"""Returns the tiles that there are of a part of a plane of the stain."""


@dataclass(frozen=True, eq=False)
class LiveArray:
    """Looks like an array of float32, and may be sliced; `numpy.asarray` fills it from the tiles. It never computes.

    Attributes
    ----------
    axes : str
        One letter for each dimension of the whole array.
    ranges : tuple of range
        What is taken of each of them.
    dropped : frozenset of int
        Those of which one position was taken, as an integer does.
    find : callable
    """

    axes: str
    ranges: tuple[range, ...]
    find: Find
    dropped: frozenset[int] = frozenset()

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension that is left."""
        return tuple(len(self.ranges[axis]) for axis in self._left)

    @property
    def ndim(self) -> int:
        """Number of dimensions that are left."""
        return len(self._left)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> LiveArray:
        """Take a part, by integers, slices and an ellipsis."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        ranges, dropped = list(self.ranges), set(self.dropped)
        for axis, part in zip(self._left, parts, strict=False):
            if isinstance(part, slice):
                ranges[axis] = ranges[axis][part]
            else:
                position = ranges[axis][int(part)]
                ranges[axis] = range(position, position + 1)
                dropped.add(axis)
        return replace(self, ranges=tuple(ranges), dropped=frozenset(dropped))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Fill an array with what is stained by now, and zeros elsewhere."""
        result = np.zeros([len(of) for of in self.ranges], np.float32)
        leading = [axis for axis, letter in enumerate(self.axes) if letter not in "YX"]
        for offsets in product(*(range(len(self.ranges[axis])) for axis in leading)):
            plane = tuple(self.ranges[axis][offset] for axis, offset in zip(leading, offsets, strict=True))
            position = iter(offsets)
            out = result[tuple(slice(None) if letter in "YX" else next(position) for letter in self.axes)]
            self._fill(out if self._is_upright else out.T, plane)
        return result.reshape(self.shape).astype(self.dtype if dtype is None else dtype, copy=False)

    @property
    def _left(self) -> list[int]:
        return [axis for axis in range(len(self.axes)) if axis not in self.dropped]

    @property
    def _is_upright(self) -> bool:
        return self.axes.index("Y") < self.axes.index("X")

    def _fill(self, out: NDArray[np.float32], plane: PlaneIndex) -> None:
        """Write into a part of a plane (Y, X) what there is of it."""
        rows, columns = (self.ranges[self.axes.index(letter)] for letter in "YX")
        if not (len(rows) and len(columns)):
            return
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        for tile, values in self.find(plane, box):
            spans = [_overlap(side, of) for side, of in zip(tile, (rows, columns), strict=True)]
            out[spans[0][0], spans[1][0]] = values[spans[0][1], spans[1][1]]


class LiveLevels(MultiScaleData):  # type: ignore[misc]
    """A live stain at several resolutions, the finest first. As an array, and as a copy, it is what is stained by now.

    napari's own class is no array that could be saved or made labels of, and its copy would go on with the tiles.
    """

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Fill an array with what is stained by now at the finest resolution."""
        return np.asarray(self[0], dtype)

    def __deepcopy__(self, _: Any) -> LiveLevels:
        """Return what is stained by now at all resolutions."""
        return LiveLevels([np.asarray(level) for level in self])

    def astype(self, dtype: Any) -> NDArray[Any]:
        """Return an array of another type, as that of an array does."""
        return np.asarray(self).astype(dtype)


def _overlap(side: slice, taken: range) -> tuple[slice, slice]:
    """Return where in the range a side of a tile lies, and which of the tile's pixels are taken there."""
    first = max(0, -(-(side.start - taken.start) // taken.step))
    last = min(len(taken), -(-(side.stop - taken.start) // taken.step))
    start = taken.start + first * taken.step - side.start
    return slice(first, max(first, last)), slice(start, max(start, start + (last - first) * taken.step), taken.step)
