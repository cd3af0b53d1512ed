"""The weights of the plane in view, as layers that follow the sliders of the viewer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.layers import guess_channel_axis, layer_stack, middle_of_view, plane_in_view
from napari_mitostain._qt.plane_layers import Place, PlaneLayers
from napari_mitostain._qt.plane_look import Look, Prepared, Request, look
from napari_mitostain._qt.view_state import WorldPoint, camera_of, point_events
from napari_mitostain._qt.weights_layers import KINDS, show_weights
from napari_mitostain._qt.weights_stack import StackStatistics
from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.image import PlaneIndex, Stack

if TYPE_CHECKING:
    from napari.viewer import Viewer

_TRANSFORM_EVENTS = ("scale", "translate", "rotate", "shear", "affine", "units")


class WeightsOverlay(QObject):
    """Weighs the plane in view of a layer, and shows it. Only for the main thread.

    Attributes
    ----------
    looked : Signal(Look)
        A plane was weighed and shown.
    failed : Signal(Exception)
        A plane could not be weighed.
    refused : Signal(ImageError)
        The layer's data cannot be weighed.
    removed : Signal(str)
        The user has deleted the layer "weights" or "contours".
    unmeasured : Signal(str)
        The stack is not measured, whether the user has cancelled that or an error; the scope that can be gone on with.
    """

    looked = Signal(object)
    failed = Signal(object)
    refused = Signal(object)
    removed = Signal(str)
    unmeasured = Signal(str)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._latest = Latest(self)
        self._whole = StackStatistics(self)
        self._source: Image | None = None
        self._stack: Stack | None = None
        self._known: Prepared | None = None
        self.layers = PlaneLayers(viewer)
        self._deleted: list[str] = []
        self._request: Request | None = None
        self._is_held = False
        self._settings, self._patch, self._shown = WeightSettings(), 256, KINDS
        self._connect()

    @property
    def is_busy(self) -> bool:
        """Whether a look or a measurement is still to come."""
        return self._latest.is_busy or self._whole.is_busy

    def follow(self, source: Image | None) -> None:
        """Weigh another layer from now on, or none; the layers of the former go."""
        if source is self._source:
            return
        self._leave()
        if source is not None:
            self._source = source
            self._listen(source, "connect")
            self._on_data()

    def choose(self, settings: WeightSettings, patch: int, shown: frozenset[str]) -> None:
        """Weigh with other settings, and show "weights", "contours", both or neither."""
        self._settings, self._patch, self._shown = settings, patch, shown
        for kind in KINDS - shown:
            self.layers.remove(kind)
        self.refresh()

    def refresh(self) -> None:
        """Ask for the plane in view; the stack is measured first if that is still to be done."""
        if self._source is None or self._stack is None or not self._is_there() or not self._is_of_these_axes():
            return
        index, at = self._place()
        channel = _channel_of(self._stack, index)
        whole = self._whole.of(channel)
        if self._settings.scope == "stack" and whole is None:
            self._latest.drop()
            self._whole.measure(self._source.name, self._stack, channel)
            return
        self._request = Request(self._stack, index, self._settings, self._patch, at, whole, self._known)
        self._latest.ask(partial(look, self._request))

    def hold(self, held: bool) -> None:
        """Stay at the plane and the patch of the last look while something else is in view, or go on following."""
        self._is_held = held
        self.refresh()

    def _place(self) -> tuple[PlaneIndex, tuple[int, int]]:
        """Return the plane, and the row and column, that are looked at."""
        if self._is_held and self._request is not None and self._request.stack is self._stack:
            return self._request.index, self._request.at
        assert self._source is not None
        assert self._stack is not None
        index = plane_in_view(self._source, self._stack.axes, WorldPoint.of(self._viewer))
        return index, middle_of_view(self._viewer, self._source, self._stack.axes)

    def close(self) -> None:
        """Stop, and take the layers away."""
        self._leave()
        for event in point_events(self._viewer):
            event.disconnect(self._on_view)
        camera_of(self._viewer).events.center.disconnect(self._on_camera)
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _connect(self) -> None:
        self._latest.answered.connect(self._show)
        self._latest.failed.connect(self.failed)
        self._whole.measured.connect(self.refresh)
        self._whole.given_up.connect(self._on_given_up)
        for event in point_events(self._viewer):
            event.connect(self._on_view)
        camera_of(self._viewer).events.center.connect(self._on_camera)
        self._viewer.layers.events.removed.connect(self._on_removed)

    def _leave(self) -> None:
        """Let go of the layer that was followed."""
        self._forget()
        if self._source is not None:
            self._listen(self._source, "disconnect")
        self._source, self._stack = None, None
        self.layers.remove()

    def _forget(self) -> None:
        """Drop what is known of the layer's pixels, and what is still to come of them."""
        self._latest.drop()
        self._whole.forget()
        self._known = None

    def _listen(self, source: Image, how: str) -> None:
        for name in ("data", "axis_labels"):
            getattr(source.events[name], how)(self._on_data)
        for name in _TRANSFORM_EVENTS:
            getattr(source.events[name], how)(self._on_view)
        getattr(source.events.set_data, how)(self._on_pixels)

    def _on_view(self, _: Any = None) -> None:
        self.refresh()

    def _on_pixels(self, _: Any = None) -> None:
        """Read the known plane anew: the layer was refreshed, and its pixels may have been changed in place.

        Another plane in view is no such case, nor are data of other axes: these are told by events of their own.
        """
        if self._known is not None and self._is_of_these_axes() and self._known.index == self._place()[0]:
            self._known = None
            self.refresh()

    def _on_camera(self, _: Any = None) -> None:
        if self._settings.scope == "patch" and not self._is_held:
            self.refresh()

    def _on_data(self, _: Any = None) -> None:
        """Begin anew with the layer's new data; the layers that show it stay, with the user's own look.

        Data that cannot be weighed are waited out: other data of the layer may be.
        """
        assert self._source is not None
        self._forget()
        try:
            self._stack = layer_stack(self._source, guess_channel_axis(self._source))
        except ImageError as error:
            self._stack = None
            self.layers.remove()
            self.refused.emit(error)
        self.refresh()

    def _on_removed(self, event: Any) -> None:
        """Stop at once; layers go later, as napari may be taking out a selection that they belong to."""
        if event.value is self._source:
            self._forget()
        elif (kind := self.layers.forget(event.value)) is not None:
            self._deleted.append(kind)
        else:
            return
        QTimer.singleShot(0, self._settle)

    def _settle(self) -> None:
        """Follow no layer that is gone; say which of the own ones the user has deleted."""
        deleted, self._deleted = self._deleted, []
        if self._source is not None and not self._is_there():
            self._leave()
        else:
            for kind in deleted:
                self.removed.emit(kind)

    def _is_of_these_axes(self) -> bool:
        """Whether the layer has as many axes as its stack: napari moves the view to new data and then tells of them."""
        return self._source is not None and self._stack is not None and self._source.ndim == len(self._stack.axes)

    def _is_there(self) -> bool:
        return self._source in self._viewer.layers

    def _on_given_up(self) -> None:
        """Leave the scope that cannot be had, or it would be measured anew with the next move of the view."""
        if self._settings.scope == "stack":
            before = self._request.settings.scope if self._request is not None else "plane"
            self.unmeasured.emit("plane" if before == "stack" else before)

    def _show(self, seen: Look) -> None:
        if self._source is None or seen.request.stack is not self._stack or not self._is_there():
            return
        self._known = seen.prepared
        show_weights(self.layers, seen, Place(self._source, self._stack, seen.request.index), self._shown)
        self.looked.emit(seen)


def _channel_of(stack: Stack, index: PlaneIndex) -> int:
    letters = [axis for axis in stack.axes if axis not in "YX"]
    return index[letters.index("C")] if "C" in letters else 0
