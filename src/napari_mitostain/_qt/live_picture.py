"""The layer of a live stain: the part of one plane that is looked at, moved and filled anew as the view moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_mitostain._qt.layers import carried
from napari_mitostain._qt.live_view import LiveAxes, LiveView, region_of
from napari_mitostain._qt.plane_layers import move_layer
from napari_mitostain._qt.result_layer import METADATA, add_beside
from napari_mitostain._qt.stain_run import LOOK, contrast_of
from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari.viewer import Viewer

KIND = "live stain"

_REFRESH_S, _REFRESH_SHARE = 0.1, 10
"""Time between two drawings of new tiles, and the part of the main thread's time (one in so many) they take at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the layer lies on."""

    level: int
    finest: PlaneIndex
    region: Box


class LivePicture(QObject):
    """Shows stained tiles. Only for the main thread.

    Parameters
    ----------
    viewer : Viewer
    source : Image
        What is stained.
    of : LiveAxes
        Of the source.
    """

    def __init__(self, viewer: Viewer, source: Image, of: LiveAxes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._source, self._of = viewer, source, of
        self.layer: Image | None = None
        self.metadata: dict[str, Any] = {}
        self._shown: Shown | None = None
        self._data: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._limits: tuple[float, float] | None = None  # as they were set last, until a whole view was seen
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._draw)
        self._next = 0.0

    def is_at(self, view: LiveView) -> bool:
        """Tell whether the layer lies where a view is."""
        return self._shown == self._place(view)

    def shows(self, finest: PlaneIndex) -> bool:
        """Tell whether the layer lies on a plane of the finest level."""
        return self._shown is not None and self._shown.finest == finest

    def show(self, view: LiveView, tiles: Iterable[tuple[Box, NDArray[np.float32]]]) -> None:
        """Lie down where a view is, with the tiles that there are of it; what is not stained yet is empty.

        Parameters
        ----------
        view : LiveView
        tiles : iterable of tuple
            Rows and columns of the level's plane, and the stain (Y, X) there.
        """
        self._shown = self._place(view)
        self._empty(tuple(side.stop - side.start for side in self._shown.region))
        for box, values in tiles:
            self._write(box, values)
        self._lie_down(view)
        self._draw()

    def paint(self, box: Box, values: NDArray[np.float32]) -> None:
        """Add a tile of the plane that the layer lies on; drawn at once, or soon if one was just now."""
        self._write(box, values)
        if self._limits is None:
            self.brighten(values)
        wait = self._next - perf_counter()
        if wait <= 0:
            self._draw()
        elif not self._later.isActive():
            self._later.start(int(1000 * wait) + 1)

    def brighten(self, values: NDArray[np.float32] | None = None) -> None:
        """Fit the contrast to a tile, or to all that is shown, unless the user was quicker."""
        assert self.layer is not None
        if tuple(self.layer.contrast_limits) in (self._limits, LOOK["contrast_limits"]):
            self._limits = contrast_of(self._plane if values is None else values)
            self.layer.contrast_limits = self._limits

    def look(self) -> dict[str, Any]:
        """Return how the user has the stain shown."""
        names = ("colormap", "blending", "contrast_limits", "opacity", "gamma", "interpolation2d", "visible")
        return {} if self.layer is None else {name: getattr(self.layer, name) for name in names}

    def turn_to(self, of: LiveAxes) -> None:
        """Show nothing until the next view: what was shown is out of date, and the source may have other pixels."""
        self._of, self._shown = of, None
        if self.layer is not None:
            self._data[:] = 0
            self._draw()

    def remove(self) -> None:
        """Take the layer away."""
        self._later.stop()
        layer, self.layer, self._shown = self.layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    @property
    def _plane(self) -> NDArray[np.float32]:
        """The pixels (Y, X), to be read and written."""
        plane = self._data[tuple(slice(None) if axis in "YX" else 0 for axis in self._of.axes)]
        return plane if self._of.axes.index("Y") < self._of.axes.index("X") else plane.T

    def _place(self, view: LiveView) -> Shown:
        return Shown(view.level, view.finest, region_of(view, self._of.stacks[view.level].plane_shape))

    def _empty(self, size: tuple[int, ...]) -> None:
        sides = dict(zip("YX", size, strict=True))
        shape = tuple(sides.get(axis, 1) for axis in self._of.axes)
        if self._data.shape == shape:
            self._data[:] = 0
        else:
            self._data = np.zeros(shape, np.float32)

    def _write(self, box: Box, values: NDArray[np.float32]) -> None:
        """Write as much of a tile as lies in the region."""
        assert self._shown is not None
        inside = [
            (max(side.start, of.start), min(side.stop, of.stop), side.start, of.start)
            for side, of in zip(box, self._shown.region, strict=True)
        ]
        if all(first < last for first, last, _, _ in inside):
            to = tuple(slice(first - start, last - start) for first, last, _, start in inside)
            taken = tuple(slice(first - start, last - start) for first, last, start, _ in inside)
            self._plane[to] = values[taken]

    def _lie_down(self, view: LiveView) -> None:
        told = {"result": KIND, "source_layer": str(self._source.unique_id), "level": view.level, **self.metadata}
        transforms = self._transforms()
        if self.layer is None:
            name = f"{self._source.name} {KIND}"
            self.layer = Image(self._data, rgb=False, name=name, metadata={METADATA: told}, **transforms, **LOOK)
            add_beside(self._viewer, self.layer)
            return
        if self.layer.data is not self._data:
            self.layer.data = self._data
        move_layer(self.layer, transforms)
        self.layer.metadata = {**self.layer.metadata, METADATA: told}

    def _transforms(self) -> Mapping[str, Any]:
        """Lay the first pixel where the level has it, as large as it is there."""
        assert self._shown is not None
        factors = [
            f if axis in "YX" else 1.0
            for axis, f in zip(self._of.axes, self._of.factors[self._shown.level], strict=True)
        ]
        starts = dict(zip("YX", (side.start for side in self._shown.region), strict=True))
        position = iter(self._shown.finest)
        origin = [
            starts[axis] * factor + (factor - 1) / 2 if axis in "YX" else next(position)  # a pixel's middle
            for axis, factor in zip(self._of.axes, factors, strict=True)
        ]
        placed = carried(self._source, origin)
        return placed | {"scale": np.multiply(placed["scale"], factors)}

    def _draw(self) -> None:
        self._later.stop()
        if self.layer is not None:
            begin = perf_counter()
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)
            end = perf_counter()
            self._next = end + max(_REFRESH_S, _REFRESH_SHARE * (end - begin))
