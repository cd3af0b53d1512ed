"""Run the generator over a plane, with tiles as large as the memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import DeviceError
from napari_mitostain.events import Notice
from napari_mitostain.model.device import is_out_of_memory
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import Box, plan_tiles, stitch


@dataclass(frozen=True, slots=True)
class StainedTile:
    """The core of a tile (rows and columns of the plane), its stain, and the part of the plane that is done."""

    core: Box
    values: NDArray[np.float32]
    fraction: float


class PlaneTiler:
    """Stains planes tile by tile, with smaller tiles from the moment that memory does not suffice."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._geometry = predictor.model.geometry
        self._tile = predictor.tile

    def run(self, scaled: NDArray[np.float32], within: Box | None = None) -> Iterator[StainedTile | Notice]:
        """Stain a scaled plane (Y, X), or a box within it; after a lack of memory its tiles come again, smaller.

        Raises
        ------
        DeviceError
            If memory does not suffice for the smallest tile.
        """
        while True:
            plan = plan_tiles(scaled.shape, self._tile, self._geometry, within)
            try:
                for done, (tile, core) in enumerate(stitch(scaled, plan, self._predictor), start=1):
                    yield StainedTile(tile.core, core, done / len(plan.tiles))
                return
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = self._failed_tile(max(scaled.shape), error)
            # Out here: while the error is handled, its traceback holds the tensors of the forward that failed.
            self._tile = max(self._geometry.stride, failed // 2)
            self._predictor.release_memory()
            yield Notice(message=f"Not enough memory for tiles of {failed} pixels, going on with {self._tile}.")

    def _failed_tile(self, longest: int, error: Exception) -> int:
        """Return the side of the tile that was too large, unless there is no smaller one."""
        stride = self._geometry.stride
        side = -(-min(self._tile, longest) // stride) * stride  # as the plan rounds it
        if side == stride:
            raise DeviceError(
                f"Expected memory for tiles of {side} pixels, got none left on {self._predictor.device}; "
                "close other programs or choose another device."
            ) from error
        return side
