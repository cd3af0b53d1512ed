"""Stain what somebody looks at, tile by tile: each tile is what the stain of the whole stack has there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.image import PlaneContrast, PlaneIndex, Stack
from napari_mitostain.image.units import inside
from napari_mitostain.model.device import is_out_of_memory
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining.live_plane import LiveLevel, LivePlane, Place, open_plane
from napari_mitostain.staining.resampling import resized_part, source_of
from napari_mitostain.staining.stack import MOST_ZOOM, zoom_for
from napari_mitostain.tiling import Box, Geometry, pad, plan_tile

_TILE = {"cpu": 384, "mps": 512, "cuda": 1024}
"""Side of a tile by device: small, so that the first one is soon there, and not so small that halos take most."""


@dataclass(frozen=True)
class LiveSource:
    """Everything that tiles are stained with.

    Attributes
    ----------
    predictor : Predictor
    levels : tuple of LiveLevel
        From the finest; coarser ones that would have to be resampled beyond reason are None.
    side : int
        Of a tile's core, in the model's pixels.
    """

    predictor: Predictor
    levels: tuple[LiveLevel | None, ...]
    side: int

    def with_smaller_tiles(self) -> LiveSource:
        """Return the same with tiles of half the side, after memory did not suffice.

        Raises
        ------
        DeviceError
            If there are no smaller ones.
        """
        stride = self.predictor.model.geometry.stride
        if self.side == stride:
            raise DeviceError(
                f"Expected memory for tiles of {stride} pixels, got none left on {self.predictor.device}; "
                "close other programs or choose another device."
            )
        return replace(self, side=max(stride, self.side // 2 // stride * stride))


def open_live(stacks: Sequence[Stack], factors: Sequence[float], model: Model, settings: StainSettings) -> LiveSource:
    """Make everything ready.

    Parameters
    ----------
    stacks : sequence of Stack
        Resolutions of one source, the finest first.
    factors : sequence of float
        How many pixels of the finest a pixel of each is wide. A coarser level is resampled to the pixels that the
        finest is stained at.
    model : Model
    settings : StainSettings

    Raises
    ------
    ImageError
        If resampling would change the size of the finest beyond reason.
    DeviceError
    """
    predictor = Predictor(model, settings)
    finest = zoom_for(stacks[0], model, settings) or 1.0
    zooms = [finest * factor for factor in factors]
    levels = [LiveLevel(stack, zoom) if zoom <= MOST_ZOOM else None for stack, zoom in zip(stacks, zooms, strict=True)]
    stride = model.geometry.stride
    side = settings.tile if settings.tile is not None else _TILE[predictor.device.type]
    return LiveSource(predictor, tuple(levels), -(-side // stride) * stride)


@dataclass(frozen=True, slots=True)
class TileKey:
    """Which tile: of which level, plane and place in the grid of tiles of a side."""

    level: int
    plane: PlaneIndex
    place: Place
    side: int


@dataclass(frozen=True)
class LiveTile:
    """A stained tile.

    Attributes
    ----------
    key : TileKey
    box : tuple of slice
        Rows and columns of the level's plane.
    values : ndarray of float32
        Relative intensity (Y, X) in [0, 1].
    """

    key: TileKey
    box: Box
    values: NDArray[np.float32]


@dataclass(frozen=True)
class OutOfMemory:
    """Memory did not suffice for a tile of this side."""

    side: int


def ready_plane(source: LiveSource, key: TileKey, contrast: PlaneContrast | None = None) -> LivePlane:
    """Read the plane of a tile, as far as it has to be known before the first of its tiles.

    The contrast of a large plane is an estimate, unless it was measured.
    """
    level = source.levels[key.level]
    assert level is not None, "levels that cannot be stained have no tiles"
    return open_plane(level, key.plane, source.predictor.model.card.scaling, contrast)


def stain_tile(source: LiveSource, key: TileKey, plane: LivePlane) -> LiveTile | OutOfMemory:
    """Stain one tile of a plane that is ready."""
    level = source.levels[key.level]
    assert level is not None, "levels that cannot be stained have no tiles"
    box = level.box(key.place, key.side)
    try:
        return LiveTile(key, box, _stained(source.predictor, level, plane, key, box))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Out here: while the error is handled, its traceback holds the tensors of the forward that failed.
    source.predictor.release_memory()
    return OutOfMemory(key.side)


def _stained(predictor: Predictor, level: LiveLevel, plane: LivePlane, key: TileKey, box: Box) -> NDArray[np.float32]:
    """Return the stain of a box of the plane that a tile covers."""
    if plane.is_blank:
        return np.zeros(tuple(side.stop - side.start for side in box), np.float32)
    seen = source_of(box, level.stack.plane_shape, level.shape)  # what the box depends on where it is resampled back
    geometry = predictor.model.geometry
    side, number = key.side, key.place
    reach = (
        0
        if level.zoom == 1
        else max(
            max(n * side - of.start, of.stop - min((n + 1) * side, length))
            for n, of, length in zip(number, seen, level.shape, strict=True)
        )
    )
    tile = plan_tile(level.shape, side, Geometry(geometry.stride, geometry.halo + max(0, reach)), number)
    stained = _predicted(predictor, plane, tile.window, level.shape)
    if level.zoom == 1:
        return stained[tile.crop].copy()  # without the halo around it
    fit = resized_part(stained[inside(seen, tile.window)], seen, level.shape, box, level.stack.plane_shape)
    return fit.clip(0, 1).astype(np.float32)


def _predicted(predictor: Predictor, plane: LivePlane, window: Box, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Stain a window of the padded plane."""
    rows, columns = (slice(of.start, min(of.stop, length)) for of, length in zip(window, shape, strict=True))
    more = window[0].stop - rows.stop, window[1].stop - columns.stop
    return predictor(pad(plane.scaled((rows, columns)), more))
