"""Stain planes that are too large for memory, block by block."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.events import Event, Measured, Notice, TileDone
from napari_mitostain.image import PlaneContrast, PlaneIndex, Stack, Unit, measure_plane
from napari_mitostain.image.files import digest
from napari_mitostain.image.units import inside, moved, widened
from napari_mitostain.model.device import Images, helping_threads
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.prefetching import concurrently, one_behind
from napari_mitostain.staining.tiler import Mosaic, PlaneTiler, StainedTiles
from napari_mitostain.tiling import Box


@dataclass
class Block:
    """A block that is ready to be stained, and its stain.

    Attributes
    ----------
    number : int
        Of those before it.
    unit : Unit
    scaled : Images, optional
        What its stain depends on (Y, X); None if its plane has no contrast.
    core : tuple of slice
        Where it lies in that.
    source : str
        Digest of what it depends on.
    stain : Mosaic
        (Y, X).
    """

    number: int
    unit: Unit
    scaled: Images | None
    core: Box
    source: str
    stain: Mosaic = field(init=False)

    def __post_init__(self) -> None:
        self.stain = Mosaic(tuple(side.stop - side.start for side in self.core))


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
        self._stack, self._scalings = stack, dict(scalings)
        self.predictor = Predictor(model, settings)
        self._tiler = PlaneTiler(self.predictor)

    def scaling(self, unit: Unit) -> Generator[Event, None, PlaneContrast]:
        """Return how the plane of a block is scaled; measures it unless it was."""
        if unit.plane not in self._scalings:
            self._scalings[unit.plane] = yield from measured(self._stack, unit, self.predictor)
        return self._scalings[unit.plane]

    def source(self, unit: Unit, scaling: PlaneContrast) -> tuple[NDArray[Any], str]:
        """Read what a block depends on: pixels of the plane, and a digest of them and of how they are scaled."""
        pixels = self._stack.read(unit.plane, self._boxes(unit, scaling)[1])
        return pixels, f"{digest(pixels)} {astuple(scaling)}"

    def ready(self, number: int, unit: Unit, scaling: PlaneContrast, pixels: NDArray[Any], source: str) -> Block:
        """Scale what was read, for `run`."""
        seen, around = self._boxes(unit, scaling)
        scaled = self.predictor.scaler.part(scaling, pixels)[inside(seen, around)] if scaling.contrast else None
        return Block(number, unit, scaled, inside(unit.box, seen), source)

    def run(self, blocks: Iterator[Event | Block], total: int) -> Iterator[Event | Block]:
        """Stain blocks that are ready, of so many in all, and give each back once it is.

        Events are passed on; yields `TileDone` and `Notice`.
        """
        begun = self._begun(blocks)
        for part in begun if self.predictor.device.type == "cpu" else one_behind(begun):
            if not isinstance(part, tuple):
                yield part
                continue
            block, tile = part
            if tile is not None:
                own, values = inside(tile.core, block.core), tile.values[0]
                block.stain.put(own, values)
                yield TileDone(
                    plane=self._stack.stained_index(block.unit.plane),
                    box=moved(own, block.unit.box[0].start, block.unit.box[1].start),
                    values=values,
                    fraction=(block.number + tile.fraction) / total,
                )
                if tile.fraction < 1:
                    continue
            yield block

    def _begun(self, blocks: Iterator[Event | Block]) -> Iterator[Event | tuple[Block, StainedTiles | None]]:
        """Begin with tile after tile of block after block; one of a plane without contrast gives None."""
        for block in blocks:
            if not isinstance(block, Block):
                yield block
            elif block.scaled is None:
                yield block, None
            else:
                for tile in self._tiler.run(block.scaled[None], block.core):
                    yield tile if isinstance(tile, Notice) else (block, tile)

    def _boxes(self, unit: Unit, scaling: PlaneContrast) -> tuple[Box, Box]:
        """Return the box that the stain of a block depends on, and that which its scaling depends on."""
        whole = self._stack.plane_shape
        seen = widened(unit.box, self.predictor.model.geometry.margin, whole)
        return seen, widened(seen, scaling.reach, whole)


def measured(stack: Stack, unit: Unit, predictor: Predictor) -> Generator[Event, None, PlaneContrast]:
    """Measure the plane of a block; yields `Measured`, and a `Notice` of pixels that are not finite."""
    read, scaling = partial(stack.read, unit.plane), predictor.model.card.scaling
    each = partial(concurrently, threads=helping_threads(predictor.device, bytes_held(unit.boxes)))
    measuring = measure_plane(read, stack.plane_shape, unit.boxes, scaling, predictor.scaler.detail, each)
    for done, found in enumerate(measuring, start=1):
        if found is None:
            yield Measured(done=done, total=2 * len(unit.boxes))
    assert found is not None, "the last that comes is how the plane is scaled"
    if found.has_holes:
        yield Notice(message=f"{stack.name} has pixels that are not finite, the median of others stands in.")
    return found


def bytes_held(boxes: Iterable[Box]) -> int:
    """Return the bytes that a thread holds for one of some boxes: what it is computed from, and scaled or a stain."""
    return 2 * 4 * max((math.prod(side.stop - side.start for side in box) for box in boxes), default=1)
