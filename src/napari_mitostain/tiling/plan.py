"""Geometry of tiles: where each core lies, how far its halo reaches, how the plane is padded."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mitostain.errors import SettingsError

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a network asks of its tiles.

    Attributes
    ----------
    stride : int
        Sides and origins of windows must be multiples of it.
    halo : int
        Pixels around a core that its result depends on; the receptive field's radius.
    """

    stride: int
    halo: int

    @property
    def margin(self) -> int:
        """Pixels around a core that its window has: the halo, rounded up to the stride."""
        return _round_up(self.halo, self.stride)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a plane.

    Attributes
    ----------
    core : tuple of slice
        Rows and columns of the plane that this tile gives.
    window : tuple of slice
        Core and halo, in the padded plane.
    crop : tuple of slice
        Where the core lies in the window.
    """

    core: Box
    window: Box
    crop: Box


@dataclass(frozen=True, slots=True)
class Plan:
    """All tiles of a plane, fixed before work starts.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the plane.
    padding : tuple of int
        Pixels of reflection after the last row and after the last column.
    tiles : tuple of Tile
        Row by row; their cores cover every pixel that is asked for, by default of the plane, once.
    """

    shape: tuple[int, int]
    padding: tuple[int, int]
    tiles: tuple[Tile, ...]


def plan_tiles(shape: tuple[int, int], tile: int, geometry: Geometry, core: Box | None = None) -> Plan:
    """Cut a plane into tiles whose results are those of the whole plane.

    The plane is padded by reflection to a multiple of the stride. Each window holds the core and a halo no smaller than
    the receptive field, unless the padded plane ends there, as it would for the whole plane. Windows start on multiples
    of the stride, so every pooling cell falls where it falls in the whole plane.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the plane.
    tile : int
        Side of a core, rounded up to a multiple of the stride.
    geometry : Geometry
        Of the network.
    core : tuple of slice, optional
        Rows and columns that the tiles are to cover, beginning on multiples of the stride; by default the whole plane.

    Returns
    -------
    Plan

    Raises
    ------
    SettingsError
        If the tile size is below 1.
    """
    side = _side(tile, geometry)
    covered = (slice(0, shape[0]), slice(0, shape[1])) if core is None else core
    rows, columns = (_spans(length, part, side, geometry) for length, part in zip(shape, covered, strict=True))
    tiles = tuple(
        Tile((row[0], column[0]), (row[1], column[1]), (row[2], column[2])) for row in rows for column in columns
    )
    return Plan(shape, (-shape[0] % geometry.stride, -shape[1] % geometry.stride), tiles)


def plan_tile(shape: tuple[int, int], tile: int, geometry: Geometry, place: tuple[int, int]) -> Tile:
    """Return one tile of a plan without making the others: the one at a place (row, column) of its grid."""
    side = _side(tile, geometry)
    cores = [
        slice(number * side, min((number + 1) * side, length)) for number, length in zip(place, shape, strict=True)
    ]
    row, column = (_span(core, length, geometry) for core, length in zip(cores, shape, strict=True))
    return Tile((row[0], column[0]), (row[1], column[1]), (row[2], column[2]))


def _side(tile: int, geometry: Geometry) -> int:
    if tile < 1:
        raise SettingsError(f"Expected a tile size of at least 1 pixel, got {tile}; try 512.")
    return _round_up(tile, geometry.stride)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _spans(length: int, part: slice, side: int, geometry: Geometry) -> list[tuple[slice, slice, slice]]:
    """Core (in the plane), window (in the padded plane) and crop (in the window) of each tile along one axis."""
    return [
        _span(slice(start, min(start + side, part.stop)), length, geometry)
        for start in range(part.start, part.stop, side)
    ]


def _span(core: slice, length: int, geometry: Geometry) -> tuple[slice, slice, slice]:
    first = max(0, core.start - geometry.margin)
    last = min(_round_up(length, geometry.stride), _round_up(core.stop, geometry.stride) + geometry.margin)
    offset = core.start - first
    return core, slice(first, last), slice(offset, offset + core.stop - core.start)
