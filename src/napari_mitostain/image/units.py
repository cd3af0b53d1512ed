"""The parts in which a stain is computed, written and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from napari_mitostain.image.plane import Box, PlaneIndex, Stack

BLOCK = 2048
"""Longest side in pixels of a block: a multiple of the sides of OME-Zarr's chunks (`image.files`) and of tiles, so that
no chunk belongs to two blocks; its float32 is 16 MB."""

LARGE = 3072**2
"""Pixels of the largest plane that is held as a whole: any camera's frame is, a mosaic is not."""

_STEP = 1024
"""Blocks begin at multiples of it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A plane, or a block of one that is too large to be held as a whole.

    Attributes
    ----------
    plane : tuple of int
        Position of the plane in the stack.
    box : tuple of slice
        Rows and columns of the plane.
    boxes : tuple of tuple of slice
        All boxes of the plane.
    """

    plane: PlaneIndex
    box: Box
    boxes: tuple[Box, ...]

    @property
    def is_block(self) -> bool:
        """Whether there is more of the plane."""
        return len(self.boxes) > 1

    @property
    def name(self) -> str:
        """A name for files, such as "3-0-7" or "3-0-7-r4096-c0"."""
        place = (f"r{self.box[0].start}", f"c{self.box[1].start}") if self.is_block else ()
        return "-".join([*map(str, self.plane), *place]) or "plane"


def units_of(stack: Stack, channel: int = 0, whole: bool = False) -> list[Unit]:
    """Cut a channel of a stack into units; their boxes cover each plane once.

    Parameters
    ----------
    stack : Stack
    channel : int
    whole : bool
        Leave planes whole, however large.

    Raises
    ------
    ImageError
        If there is no such channel.
    """
    height, width = stack.plane_shape
    is_large = not whole and height * width > LARGE
    sides = [list(_cut(length)) if is_large else [slice(0, length)] for length in (height, width)]
    boxes = tuple((rows, columns) for rows, columns in product(*sides))
    return [Unit(plane, box, boxes) for plane in stack.planes(channel) for box in boxes]


def _cut(length: int) -> Iterator[slice]:
    """Cut a length into as few parts as it takes, as even as steps allow."""
    parts = -(-length // BLOCK)
    side = -(-length // (parts * _STEP)) * _STEP
    yield from (slice(start, min(start + side, length)) for start in range(0, length, side))


def moved(box: Box, rows: int, columns: int) -> Box:
    """Return a box so many rows and columns further on."""
    return (
        slice(box[0].start + rows, box[0].stop + rows),
        slice(box[1].start + columns, box[1].stop + columns),
    )


def inside(box: Box, around: Box) -> Box:
    """Return where a box lies in a larger one."""
    return moved(box, -around[0].start, -around[1].start)


def widened(box: Box, reach: int, shape: tuple[int, int]) -> Box:
    """Return a box with so many more pixels on all sides, as far as the plane goes."""
    rows, columns = (
        slice(max(0, side.start - reach), min(length, side.stop + reach))
        for side, length in zip(box, shape, strict=True)
    )
    return rows, columns
