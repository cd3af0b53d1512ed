"""Stain planes that are too large for memory, block by block."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import astuple
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.events import Event, Measured, Notice, TileDone
from napari_mitostain.image import PlaneContrast, PlaneIndex, Stack, Unit, measure_plane
from napari_mitostain.image.files import digest
from napari_mitostain.image.units import inside, moved, widened
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining.tiler import PlaneTiler
from napari_mitostain.tiling import Box


class BlockStainer:
    """Stains blocks of one stack; remembers how its planes are scaled.

    Parameters
    ----------
    stack : Stack
    model : Model
    settings : StainSettings
    scalings : mapping
        From the planes that were measured before to how they are scaled.
    """

    def __init__(
        self, stack: Stack, model: Model, settings: StainSettings, scalings: Mapping[PlaneIndex, PlaneContrast]
    ) -> None:
        self._stack, self._model, self._scalings = stack, model, dict(scalings)
        self._tiler = PlaneTiler(Predictor(model, settings))

    def scaling(self, unit: Unit) -> Generator[Event, None, PlaneContrast]:
        """Return how the plane of a block is scaled; measures it unless it was."""
        if unit.plane not in self._scalings:
            self._scalings[unit.plane] = yield from measured(self._stack, unit, self._model)
        return self._scalings[unit.plane]

    def source(self, unit: Unit, scaling: PlaneContrast) -> tuple[NDArray[np.float32], Box, str]:
        """Read what a block depends on: scaled pixels, where in them the block lies, and a digest of both."""
        whole = self._stack.plane_shape
        seen = widened(unit.box, self._model.geometry.margin, whole)
        around = widened(seen, scaling.reach, whole)
        pixels = self._stack.read(unit.plane, around)
        scaled = scaling.scale(pixels)[inside(seen, around)]
        return scaled, inside(unit.box, seen), f"{digest(pixels)} {astuple(scaling)}"

    def run(
        self, unit: Unit, scaled: NDArray[np.float32], core: Box, done: int, total: int
    ) -> Generator[Event, None, NDArray[np.float32]]:
        """Stain a block; yields `TileDone` and `Notice`, returns the stain of the block (Y, X)."""
        stain = np.zeros([side.stop - side.start for side in core], np.float32)
        for part in self._tiler.run(scaled[None], core) if scaled.any() else ():
            if isinstance(part, Notice):
                yield part
                continue
            own = inside(part.core, core)
            stain[own] = part.values[0]
            yield TileDone(
                plane=self._stack.stained_index(unit.plane),
                box=moved(own, unit.box[0].start, unit.box[1].start),
                values=part.values[0],
                fraction=(done + part.fraction) / total,
            )
        return stain


def measured(stack: Stack, unit: Unit, model: Model) -> Generator[Event, None, PlaneContrast]:
    """Measure the plane of a block; yields `Measured`, and a `Notice` of pixels that are not finite."""
    read = partial(stack.read, unit.plane)
    for done, found in enumerate(measure_plane(read, stack.plane_shape, unit.boxes, model.card.scaling), start=1):
        if found is None:
            yield Measured(done=done, total=2 * len(unit.boxes))
    assert found is not None, "the last that comes is how the plane is scaled"
    if found.has_holes:
        yield Notice(message=f"{stack.name} has pixels that are not finite, the median of others stands in.")
    return found
