"""What the threads of the live stain do: make everything ready once, then one tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mitostain._qt.live_view import LiveAxes
from napari_mitostain._qt.stain_job import ModelLoaded, a_core_left_to_the_viewer, model_loaded
from napari_mitostain.config import StainSettings
from napari_mitostain.image import PlaneContrast, PlaneIndex

if TYPE_CHECKING:
    from napari_mitostain.staining.live import LiveSource, LiveTile, OutOfMemory, TileKey
    from napari_mitostain.staining.live_plane import LivePlane


@dataclass(frozen=True)
class Opened:
    """What tiles are stained with, and what is to be said of it."""

    source: LiveSource
    loaded: ModelLoaded


def open_source(of: LiveAxes, model: str, settings: StainSettings) -> Opened:
    """Load the model and make it ready. torch is loaded here: it takes seconds, once.

    Raises
    ------
    ModelError, DeviceError, ImageError
    """
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.staining.live import open_live

    with a_core_left_to_the_viewer():
        loaded = load_model(model)
        widths = [of.width(level) for level in range(len(of.stacks))]
        source = open_live(of.stacks, widths, loaded, settings)
        return Opened(source, model_loaded(loaded, settings, of.stacks[0].name, of.channel))


@dataclass(frozen=True)
class Ready:
    """A plane that is ready to be stained; the key is that of the tile it is wanted for."""

    key: TileKey
    plane: LivePlane


@dataclass(frozen=True)
class Strip:
    """A strip of a plane was measured; with the last comes the contrast of the plane."""

    at: tuple[int, PlaneIndex]
    contrast: PlaneContrast | None


def make_ready(source: LiveSource, key: TileKey, contrast: PlaneContrast | None) -> Ready:
    """Make the plane of a tile ready, by the contrast that was measured of it if there is one."""
    from napari_mitostain.staining.live import ready_plane

    return Ready(key, ready_plane(source, key, contrast))


def stain_next(source: LiveSource, key: TileKey, plane: LivePlane) -> LiveTile | OutOfMemory:
    """Stain a tile."""
    from napari_mitostain.staining.live import stain_tile

    with a_core_left_to_the_viewer():
        return stain_tile(source, key, plane)


def measure_next(at: tuple[int, PlaneIndex], strips: Iterator[PlaneContrast | None]) -> Strip:
    """Measure one more strip of a plane."""
    return Strip(at, next(strips))
