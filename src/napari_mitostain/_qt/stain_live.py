"""The live stain: what the user looks at is stained when they look at it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.job_runner import report
from napari_mitostain._qt.live_events import LiveEvents
from napari_mitostain._qt.live_job import Opened, open_source
from napari_mitostain._qt.live_picture import LivePicture
from napari_mitostain._qt.live_settings import cache_bytes
from napari_mitostain._qt.live_tiles import LiveTiles
from napari_mitostain._qt.live_view import LiveAxes, LiveView, neighbours, view_of
from napari_mitostain._qt.live_words import LOADING, NO_PLANE, TOO_COARSE, words_of
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain._qt.stain_run import LiveSeen
from napari_mitostain.errors import ImageError

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mitostain.staining.live import LiveTile

_REST_MS = 120
"""Time for which the view has to rest before it is stained, a little more than a plane is in view while napari plays a
stack: nothing is stained of what passes by, and drawing has all processors."""


class LiveStain(QObject):
    """Stains the part of a layer that is in view, and shows it. Only for the main thread.

    Attributes
    ----------
    opened : Signal(ModelLoaded)
        The model is there.
    said : Signal(str)
        What the mode is at, for people.
    ended : Signal(str)
        The mode has turned itself off, and why; "" if the user has deleted a layer it needs.
    """

    opened = Signal(object)
    said = Signal(str)
    ended = Signal(str)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.tiles = LiveTiles(self)
        self.picture: LivePicture | None = None
        self._request: StainRequest | None = None
        self._source: Image | None = None
        self._of: LiveAxes | None = None
        self._view: LiveView | None = None
        self._heading = (-1, 1)  # position of an axis in the index of a plane, and direction
        self._told: set[str] = set()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._look)
        self._events = LiveEvents(viewer, self)
        self._events.moved.connect(self._look_soon)
        self._events.placed.connect(self._on_place)
        self._events.replaced.connect(self._on_content)
        self._events.changed.connect(self._on_change)
        self._events.removed.connect(self._on_removed)
        self.tiles.opened.connect(self._begin)
        self.tiles.stained.connect(self._show)
        self.tiles.stumbled.connect(self._tell)
        self.tiles.failed.connect(self._give_up)

    @property
    def is_on(self) -> bool:
        """Whether the mode is on."""
        return self._source is not None

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be stained."""
        return self.tiles.is_busy or self._soon.isActive()

    def follow(self, request: StainRequest) -> None:
        """Turn the mode on, or stain what is asked for now; what makes no difference to a live stain changes nothing.

        Raises
        ------
        ImageError
            If the layer cannot be stained; the mode is off then.
        """
        if self._request is not None and _essence(request) == _essence(self._request):
            return
        if request.layer is not self._source:
            self.stop()
            assert request.layer is not None
            self._source = request.layer
            self._events.follow(self._source)
            cache_bytes()  # napari prepares the Preferences of plugins once
        self._request = request
        self._restart()

    def stop(self) -> None:
        """Turn the mode off; its layer goes."""
        self._soon.stop()
        self.tiles.close()
        self._events.follow(None)
        self._source = self._request = self._of = self._view = None
        self._told.clear()
        if self.picture is not None:
            picture, self.picture = self.picture, None
            picture.remove()
            picture.deleteLater()

    def seen(self) -> LiveSeen | None:
        """Return what there is of the stain, for a full result to begin with."""
        if self._of is None or self.picture is None:
            return None
        stack = self._of.stacks[0]
        # an empty tile adds nothing to a result, and would make it look begun
        kept = [(key, tile) for key, tile in self.tiles.cache.items() if key.level == 0 and tile[1].any()]
        return LiveSeen(tuple((stack.stained_index(key.plane), *tile) for key, tile in kept), self.picture.look())

    def _restart(self) -> None:
        """Begin anew with the source's pixels, the model and the settings of now."""
        assert self._source is not None
        assert self._request is not None
        request = self._request
        try:
            self._of = LiveAxes.of(self._source, request.channel_axis, request.channel)
        except ImageError:
            self.stop()
            raise
        self._view = None
        if self.picture is None:
            self.picture = LivePicture(self._viewer, self._source, self.tiles, self)
        self.said.emit(LOADING)
        self.tiles.open(partial(open_source, self._of, request.model, request.settings))
        self.picture.draw()  # nothing: what was stained is out of date

    def _begin(self, opened: Opened) -> None:
        assert self.picture is not None
        assert self._of is not None
        self.picture.show(self._of, dict(opened.loaded.metadata))
        self.opened.emit(opened.loaded)
        self._look()

    def _look(self) -> None:
        """Stain what is in view now."""
        if self._source is None or self._of is None or self.picture is None or self.tiles.source is None:
            return
        self.picture.follow(self._of)  # the viewer may have other units now
        view = view_of(self._viewer, self._source, self._of)
        if view is None or self.tiles.source.levels[view.level] is None:
            self._view = None
            self.tiles.want((), cache_bytes())
            self.said.emit(NO_PLANE if view is None else TOO_COARSE)
            return
        self._turn(view)
        self._view = view
        self.tiles.want((view, *neighbours(view, self._of, *self._heading)), cache_bytes())
        self.picture.brighten(self.tiles.found(view.level, view.plane, view.box), self.tiles.is_complete(view))
        self._say_how_far(view)

    def _turn(self, view: LiveView) -> None:
        """Note which slider was moved last, and where to."""
        if self._view is None or not view.finest:
            return
        for axis, (now, before) in enumerate(zip(view.finest, self._view.finest, strict=True)):
            if now != before:
                self._heading = axis, 1 if now > before else -1

    def _show(self, tile: LiveTile) -> None:
        """Show a new tile, if it is of what is in view."""
        view, picture = self._view, self.picture
        if view is None or picture is None or (view.level, view.plane) != (tile.key.level, tile.key.plane):
            return
        picture.paint(self.tiles.found(view.level, view.plane, view.box), self.tiles.is_complete(view))
        self._say_how_far(view)

    def _say_how_far(self, view: LiveView) -> None:
        assert self._of is not None
        self.said.emit(words_of(view, self.tiles, self._of.channel))

    def _tell(self, error: Exception) -> None:
        """Tell why a plane could not be stained, once."""
        if str(error) not in self._told:
            self._told.add(str(error))
            report(error)
        if self._view is not None:
            self._say_how_far(self._view)

    def _give_up(self, error: Exception) -> None:
        told = str(error) in self._told
        self.stop()
        if not told:
            report(error)
        self.ended.emit(str(error))

    def _look_soon(self) -> None:
        """Stain what is in view once it rests."""
        self.tiles.pause()
        self._soon.start(_REST_MS)

    def _on_place(self) -> None:
        if self.picture is not None and self._of is not None:
            self.picture.follow(self._of)
        self._look_soon()

    def _on_content(self) -> None:
        try:
            if self._source is not None:  # the form may have heard of it first, and have turned the mode off
                self._restart()
        except ImageError as error:
            self.ended.emit(str(error))

    def _on_change(self) -> None:
        """Stain anew: any of the pixels may have been changed in place."""
        self.tiles.forget()
        self._look_soon()

    def _on_removed(self, layer: Layer) -> None:
        """End with a layer that the mode needs; layers go later, as napari may be taking out several."""
        if layer is self._source or (self.picture is not None and layer is self.picture.layer):
            self.tiles.close()
            QTimer.singleShot(0, self._end)

    def _end(self) -> None:
        if self.is_on:
            self.stop()
            self.ended.emit("")


def _essence(request: StainRequest) -> tuple[Any, ...]:
    """Return what a live stain depends on."""
    return request.layer, request.channel_axis, request.channel, request.model, request.settings
