"""The layer of a live stain: the whole stack, of which napari slices what is stained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_mitostain._qt.layers import carried, unit_factors
from napari_mitostain._qt.live_array import LiveArray, LiveLevels, Stained
from napari_mitostain._qt.live_tiles import LiveTiles
from napari_mitostain._qt.live_view import LiveAxes
from napari_mitostain._qt.plane_layers import move_layer
from napari_mitostain._qt.result_layer import METADATA, add_beside
from napari_mitostain._qt.stain_run import LOOK, contrast_of
from napari_mitostain._qt.view_state import WorldPoint
from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari.viewer import Viewer

KIND = "live stain"

_SOON_MS, _PAUSE_S, _PAUSES = 15, 0.1, 2
"""Time from a tile to its drawing, in which the viewer gets its turn; and from one drawing of tiles to the next: so
long, or so many times what a drawing takes, which with a graphics card is nothing."""

_DRAWN_PX = 1024
"""Larger planes of a layer without levels are drawn with as many of their pixels as the canvas can show."""

_STEP = 4
"""Rows and columns of a tile that its contrast is taken from: enough for a view."""

_LOOKS = ("colormap", "blending", "contrast_limits", "opacity", "gamma", "interpolation2d", "visible")


class LivePicture(QObject):
    """Shows stained tiles. Only for the main thread.

    Parameters
    ----------
    viewer : Viewer
    source : Image
        What is stained.
    tiles : LiveTiles

    Attributes
    ----------
    layer : Image, optional
    """

    def __init__(self, viewer: Viewer, source: Image, tiles: LiveTiles, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._source, self._tiles = viewer, source, tiles
        self.layer: Image | None = None
        self._limits: tuple[float, float] | None = None  # as they were set here
        self._is_bright = False  # once they suit a whole view
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.draw)
        self._begun = self._next = 0.0

    def show(self, of: LiveAxes, metadata: dict[str, Any]) -> None:
        """Show the stain of a source that is as it is said to be, with what there is of it."""
        data = levels(of, self._tiles)
        told = {"result": KIND, "source_layer": str(self._source.unique_id), **metadata}
        if self.layer is not None and self.layer.ndim != len(of.axes):
            self.remove()
        if self.layer is None:
            name = f"{self._source.name} {KIND}"
            look = {**LOOK, "metadata": {METADATA: told}}
            self.layer = Image(data, multiscale=True, rgb=False, name=name, **self._transforms(of), **look)
            add_beside(self._viewer, self.layer)
        else:
            self.layer.data = data
            self.layer._data = data  # napari wraps it anew
            self.layer.metadata = {**self.layer.metadata, METADATA: told}
            self.follow(of)

    def follow(self, of: LiveAxes) -> None:
        """Lie on the source, which may have been moved."""
        if self.layer is not None:
            move_layer(self.layer, self._transforms(of))

    def paint(self, tiles: Sequence[Stained], is_complete: bool) -> None:
        """Show new tiles soon, or a little later if others were drawn just now.

        Parameters
        ----------
        tiles : sequence of tuple
            All of the view.
        is_complete : bool
            Whether none is missing.
        """
        self.brighten(tiles, is_complete)
        if not self._later.isActive():
            self._later.start(max(_SOON_MS, round(1000 * (self._next - perf_counter()))))

    def brighten(self, tiles: Sequence[Stained], is_complete: bool) -> None:
        """Fit the contrast to the first tiles of a view, and to the first whole view, that are not empty.

        Parameters
        ----------
        tiles, is_complete
            See `paint`.
        """
        is_wanted = self._limits is None or (is_complete and not self._is_bright)
        if is_wanted and any(values.any() for _, values in tiles):
            self._fit(tiles)
            self._is_bright = self._is_bright or is_complete

    def _fit(self, tiles: Sequence[Stained]) -> None:
        """Fit the contrast to tiles, unless the user was quicker."""
        assert self.layer is not None
        if tuple(self.layer.contrast_limits) == (self._limits or LOOK["contrast_limits"]):
            self._limits = contrast_of(np.concatenate([values[::_STEP, ::_STEP].ravel() for _, values in tiles])[None])
            self.layer.contrast_limits = self._limits

    def draw(self) -> None:
        """Show what there is now."""
        self._later.stop()
        if self.layer is not None:
            self._begun = perf_counter()
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)
            QTimer.singleShot(0, self._rest)

    def _rest(self) -> None:
        """Leave the viewer in peace for a while, now that the canvas is drawn."""
        now = perf_counter()
        self._next = now + max(_PAUSE_S, _PAUSES * (now - self._begun))

    def look(self) -> dict[str, Any]:
        """Return how the user has the stain shown, without contrast limits while nobody has chosen any."""
        look = {} if self.layer is None else {name: getattr(self.layer, name) for name in _LOOKS}
        if self._limits is None and tuple(look.get("contrast_limits", ())) == LOOK["contrast_limits"]:
            del look["contrast_limits"]
        return look

    def remove(self) -> None:
        """Take the layer away."""
        self._later.stop()
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _transforms(self, of: LiveAxes) -> dict[str, Any]:
        """Lay the stain on its source, in the units of the viewer: napari draws no levels of other units right."""
        found = carried(self._source, [of.channel if axis == "C" else 0 for axis in of.axes])
        point = WorldPoint.of(self._viewer)
        if point.units is None or {*(factors := unit_factors(self._source, point))} == {1.0}:
            return found
        own = found["affine"].affine_matrix
        return found | {"affine": own / np.array([[*factors, 1.0]]).T, "units": point.units[-len(factors) :]}


def levels(of: LiveAxes, tiles: LiveTiles) -> LiveLevels:
    """Return the stain at the resolutions that napari chooses from.

    A large plane without levels gets some, of every second pixel, so that no more is drawn than can be seen. The last
    is a dot that stays empty: napari takes it for thumbnails and for views in 3-D, which would need the whole stack,
    and stretches it over all of it.
    """
    found = [
        LiveArray(of.axes, _ranges(of, level), partial(_find, tiles, of, level)) for level in range(len(of.stacks))
    ]
    if len(found) == 1:
        while max(_plane(of, found[-1])) > _DRAWN_PX:
            found.append(found[-1][tuple(slice(None, None, 2) if axis in "YX" else slice(None) for axis in of.axes)])
    dot = tuple(range(1) if axis in "YX" else own for axis, own in zip(of.axes, found[-1].ranges, strict=True))
    return LiveLevels([*found, LiveArray(of.axes, dot, lambda *_: [])])


def _ranges(of: LiveAxes, level: int) -> tuple[range, ...]:
    return tuple(range(length) for length in of.stacks[level].stained_shape())


def _plane(of: LiveAxes, array: LiveArray) -> list[int]:
    return [length for axis, length in zip(of.axes, array.shape, strict=True) if axis in "YX"]


def _find(tiles: LiveTiles, of: LiveAxes, level: int, plane: PlaneIndex, box: Box) -> list[Stained]:
    """Return the tiles of a plane of the stain, which has one channel."""
    return tiles.found(level, of.of_channel(plane), box)
