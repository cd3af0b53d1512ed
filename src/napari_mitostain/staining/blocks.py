"""Stain planes that are too large for memory, block by block."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.events import Event, Measured, Notice, TileDone
from napari_mitostain.image import PlaneIndex, Stack, Unit
from napari_mitostain.image.block_scaling import BlockScaling, measure_plane
from napari_mitostain.image.files import digest
from napari_mitostain.image.units import inside, moved, widened
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining.tiler import PlaneTiler
from napari_mitostain.tiling import Box


class BlockStainer:
    """Stains blocks of one stack; remembers how the plane that it is at is scaled."""

    def __init__(self, stack: Stack, model: Model, settings: StainSettings) -> None:
        self._stack, self._model = stack, model
        self._tiler = PlaneTiler(Predictor(model, settings))
        self._measured: tuple[PlaneIndex, BlockScaling] | None = None

    def scaling(self, plane: PlaneIndex, boxes: Sequence[Box]) -> Generator[Event, None, BlockScaling]:
        """Measure a plane by the boxes that cover it, unless it was measured last."""
        if self._measured is None or self._measured[0] != plane:
            measuring = measure_plane(self._stack, plane, boxes, self._model.card.scaling)
            found = yield from _told(measuring, 2 * len(boxes))
            self._measured = (plane, found)
        return self._measured[1]

    def source(self, unit: Unit, scaling: BlockScaling) -> tuple[NDArray[np.float32], Box, str]:
        """Read what a block depends on: scaled pixels, where in them the block lies, and a digest of both."""
        geometry = self._model.geometry
        halo = -(-geometry.halo // geometry.stride) * geometry.stride  # as the plan rounds it
        around = widened(unit.box, halo, self._stack.plane_shape)
        scaled, pixels = scaling.read(self._stack, unit.plane, around)
        return scaled, inside(unit.box, around), f"{digest(pixels)} {astuple(scaling)}"

    def run(
        self, unit: Unit, scaled: NDArray[np.float32], core: Box, done: int, total: int
    ) -> Generator[Event, None, NDArray[np.float32]]:
        """Stain a block; yields `TileDone` and `Notice`, returns the stain of the block (Y, X)."""
        stain = np.zeros([side.stop - side.start for side in core], np.float32)
        for part in self._tiler.run(scaled, core) if scaled.any() else ():
            if isinstance(part, Notice):
                yield part
                continue
            own = inside(part.core, core)
            stain[own] = part.values
            yield TileDone(
                plane=self._stack.stained_index(unit.plane),
                box=moved(own, unit.box[0].start, unit.box[1].start),
                values=part.values,
                fraction=(done + part.fraction) / total,
            )
        return stain


def _told(measuring: Generator[int, None, BlockScaling], total: int) -> Generator[Event, None, BlockScaling]:
    """Turn the steps of a measurement into events."""
    while True:
        try:
            yield Measured(done=next(measuring), total=total)
        except StopIteration as stop:
            found: BlockScaling = stop.value
            return found
