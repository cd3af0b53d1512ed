"""What the live stain has to hear of: moves of the view, and what becomes of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.view_state import camera_of, point_events

if TYPE_CHECKING:
    from napari.viewer import Viewer

_VIEW, _CAMERA = ("order", "ndisplay"), ("center", "zoom")
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units")
_CONTENT = ("data", "axis_labels")


class LiveEvents(QObject):
    """Listens to a viewer and one of its layers. Only for the main thread.

    Attributes
    ----------
    moved : Signal()
        Something else is in view, or will be.
    changed : Signal()
        The source's pixels may have been changed in place: it was refreshed, or is visible again.
    placed : Signal()
        The source lies elsewhere.
    replaced : Signal()
        The source has other data, or other axes.
    removed : Signal(Layer)
        Any layer was deleted.
    """

    moved = Signal()
    changed = Signal()
    placed = Signal()
    replaced = Signal()
    removed = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._source: Image | None = None
        self._sliced: tuple[Any, ...] = ()

    def follow(self, source: Image | None) -> None:
        """Listen to a layer, or to nothing, and to the former no longer."""
        if self._source is not None:
            self._listen(self._source, "disconnect")
        self._source = source
        if source is not None:
            self._sliced = _slicing(self._viewer, source)
            self._listen(source, "connect")

    def _listen(self, source: Image, how: str) -> None:
        viewer, camera = self._viewer, camera_of(self._viewer)
        heard = {
            self._on_move: [
                *point_events(viewer),
                *(viewer.dims.events[name] for name in _VIEW),
                *(camera.events[name] for name in _CAMERA),
            ],
            self._on_place: [source.events[name] for name in _PLACE],
            self._on_content: [source.events[name] for name in _CONTENT],
            self._on_slice: [source.events.set_data],
            self._on_visible: [source.events.visible],
            self._on_removed: [viewer.layers.events.removed],
        }
        for slot, events in heard.items():
            for event in events:
                getattr(event, how)(slot)

    def _on_move(self, _: Any) -> None:
        self.moved.emit()

    def _on_place(self, _: Any) -> None:
        self.placed.emit()

    def _on_content(self, _: Any) -> None:
        self.replaced.emit()

    def _on_slice(self, _: Any) -> None:
        """Tell a refresh from a slider, which moves a slice: one and the same event tells of both."""
        if self._source is None or not self._source.loaded:  # napari slices in a thread, and a later slice is to come
            return
        before, self._sliced = self._sliced, _slicing(self._viewer, self._source)
        (self.changed if self._sliced == before else self.moved).emit()

    def _on_visible(self, _: Any) -> None:
        """Take a layer that is visible again for a refreshed one: a hidden one says nothing of its refreshes."""
        if self._source is not None and self._source.visible:
            self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        layer: Layer = event.value
        self.removed.emit(layer)


def _slicing(viewer: Viewer, source: Image) -> tuple[Any, ...]:
    """Return all that napari slices a layer by, except its pixels."""
    dims, leading = viewer.dims, viewer.dims.ndim - source.ndim  # axes of other layers move no slice of this one
    order = tuple(axis for axis in dims.order if axis >= leading)
    part = (source.data_level, source.corner_pixels.tobytes()) if source.multiscale else ()
    own = (values[-source.ndim :] for values in (dims.point, dims.margin_left, dims.margin_right))
    return (*own, order, dims.ndisplay, source.extent.world.tobytes(), *part)
