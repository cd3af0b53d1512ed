"""Run the generator over planes, with batches and tiles as large as the memory allows."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import DeviceError
from napari_mitostain.events import Notice
from napari_mitostain.model.device import Images, is_out_of_memory
from napari_mitostain.model.download import Fetched
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import Box, plan_tiles, stitch


@dataclass(frozen=True, slots=True)
class StainedTiles:
    """The same tile of some planes.

    Attributes
    ----------
    first : int
        Which of the planes the first is of, from 0; the others follow it.
    core : tuple of slice
        Rows and columns of the plane.
    stain : Fetched
        Of (B, h, w).
    fraction : float
        Part of all planes that is done.
    """

    first: int
    core: Box
    stain: Fetched
    fraction: float

    @property
    def values(self) -> NDArray[np.float32]:
        """The stain (B, h, w); a GPU is waited for."""
        return self.stain.values()


class Mosaic:
    """A stain that is put together tile by tile.

    Parameters
    ----------
    shape : tuple of int
        Its height and width.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._values: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[np.float32]:
        """The stain (Y, X), zero where no tile was put."""
        if self._values is None:
            self._values = np.zeros(self._shape, np.float32)
        return self._values

    def put(self, core: Box, tile: NDArray[np.float32]) -> None:
        """Take a tile; one that covers all of the stain is the stain, without a copy."""
        if tile.shape == self._shape:
            self._values = tile
        else:
            self.values[core] = tile


class PlaneTiler:
    """Stains planes tile by tile, with fewer at once and then smaller tiles once memory does not suffice.

    Several threads may share one: what a thread learns of the memory holds for all.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._geometry = predictor.model.geometry
        self._tile: int | None = None  # until memory does not suffice for what the predictor prefers
        self._most = sys.maxsize
        self._learning = threading.Lock()

    def at_once(self, shape: tuple[int, int]) -> int:
        """Return how many planes of a shape are best stained together: one, unless they are small for the device."""
        rows, columns = plan_tiles(shape, self._side(shape), self._geometry).tiles[0].window
        pixels: int = (rows.stop - rows.start) * (columns.stop - columns.start)
        return min(self._most, max(1, self._predictor.room // pixels))

    def run(self, planes: Images, within: Box | None = None) -> Iterator[StainedTiles | Notice]:
        """Stain scaled planes (B, Y, X), or a box in them; after a lack of memory tiles come again, fewer or smaller.

        A GPU is given one tile after another, each as it is asked for.

        Raises
        ------
        DeviceError
            If memory does not suffice for the smallest tile of one plane.
        """
        first = 0
        while first < len(planes):
            some = planes[first : first + self._most]
            side = self._side(some.shape[1:], within)
            try:
                for core, stain, fraction in self._tiles(some, side, within):
                    yield StainedTiles(first, core, stain, (first + fraction * len(some)) / len(planes))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                with self._learning:
                    notice = self._go_on_with_less(some.shape, side, error)
            else:
                first += len(some)
                continue
            # Out here: while the error is handled, its traceback holds the tensors of the forward that failed.
            self._predictor.release_memory()
            if notice is not None:
                yield notice

    def _tiles(self, planes: Images, side: int, within: Box | None) -> Iterator[tuple[Box, Fetched, float]]:
        """Yield core, stain (B, h, w) and the part that is done, tile by tile."""
        height, width = planes.shape[1:]
        plan = plan_tiles((height, width), side, self._geometry, within)
        found = stitch(planes, plan, self._predictor.stained, padded=self._predictor.padded)
        for done, (tile, stain) in enumerate(found, start=1):
            yield tile.core, self._predictor.fetched(stain), done / len(plan.tiles)

    def _side(self, shape: Sequence[int], within: Box | None = None) -> int:
        """Return the side of a core; beside a block there is more in memory than beside a plane, so it is cut."""
        if self._tile is not None:
            return self._tile
        height, width = shape
        return self._predictor.tile_for((height, width)) if within is None else self._predictor.tile

    def _go_on_with_less(self, shape: Sequence[int], side: int, error: Exception) -> Notice | None:
        """Halve the planes at once, then the side of the tile, unless there is no smaller one; None if it has been."""
        (count, height, width), stride = shape, self._geometry.stride
        if count > 1:
            self._most = count // 2
            return Notice(message=f"Not enough memory for {count} planes at once, going on with {self._most}.")
        if self._tile is not None and self._tile < side:
            return None
        side = min(side, max(height, width))
        side = -(-side // stride) * stride  # as the plan rounds it
        if side == stride:
            raise DeviceError(
                f"Expected memory for tiles of {side} pixels, got none left on {self._predictor.device}; "
                "close other programs or choose another device."
            ) from error
        self._tile = max(stride, side // 2)
        return Notice(message=f"Not enough memory for tiles of {side} pixels, going on with {self._tile}.")
