"""Tiles of a live stain: what is wanted most is stained next, and what was stained is kept as long as there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.latest import Latest, Question
from napari_mitostain._qt.live_array import Stained
from napari_mitostain._qt.live_cache import Recent
from napari_mitostain._qt.live_job import Opened, Ready, Strip, make_ready, measure_next, stain_next
from napari_mitostain._qt.live_planes import At, LivePlanes
from napari_mitostain._qt.live_view import LiveView
from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

if TYPE_CHECKING:
    from napari_mitostain.staining.live import LiveSource, TileKey

_PATIENCE = 3
"""Planes that may fail one after the other; then it is not the planes."""

_PIXEL_BYTES = 4


class LiveTiles(QObject):
    """Stains one tile after the other in a thread. Only for the main thread.

    Which tile is next is decided when the one before is done, by what is wanted then: nothing out of date is stained.

    Attributes
    ----------
    opened : Signal(Opened)
    stained : Signal(LiveTile)
    stumbled : Signal(Exception)
        A plane could not be stained; the others go on.
    failed : Signal(Exception)
        Nothing can be stained.
    """

    opened = Signal(object)
    stained = Signal(object)
    stumbled = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest = Latest(self)
        self._latest.answered.connect(self._receive)
        self._latest.failed.connect(self._fail)
        self.cache: Recent[TileKey, Stained] = Recent(0, lambda tile: tile[1].nbytes)
        self._planes = LivePlanes()
        self.source: LiveSource | None = None
        self._wanted: Sequence[LiveView] = ()
        self._broken: set[At] = set()
        self._stale: set[TileKey] = set()  # tiles by an estimate, of a plane that was measured
        self._at: At | None = None  # what the thread is at
        self._failures = 0
        self._is_paused = False

    @property
    def is_busy(self) -> bool:
        """Whether a tile is being stained."""
        return self._latest.is_busy

    def open(self, question: Question) -> None:
        """Begin anew, with the source that a question is answered by."""
        self.close()
        self._latest.ask(question)

    def close(self) -> None:
        """Want nothing any more, and let go of all tiles."""
        self._latest.drop()
        self.source, self._wanted, self._at, self._failures = None, (), None, 0
        self._let_go()

    def pause(self) -> None:
        """Begin no other tile until something is wanted anew."""
        self._is_paused = True

    def want(self, views: Sequence[LiveView], bound: int) -> None:
        """Stain views in this order, in place of what was wanted before.

        Parameters
        ----------
        views : sequence of LiveView
        bound : int
            Bytes of tiles that may be kept. As much is wanted as they hold, or one tile would push out the other.
        """
        self._wanted, self.cache.bound, self._is_paused = views, bound, False
        for key in reversed([*self._in_order()]):
            self.cache.get(key)  # what is wanted most goes last
        if not self._latest.is_busy:
            self._ask()

    def found(self, level: int, plane: PlaneIndex, box: Box) -> list[Stained]:
        """Return the tiles there are of a box of a plane."""
        places = [(box[0].start + box[0].stop) / 2, (box[1].start + box[1].stop) / 2]
        keys = self._keys(level, plane, box, (places[0], places[1]))
        return [tile for key in keys if (tile := self.cache.peek(key)) is not None]

    def is_complete(self, view: LiveView) -> bool:
        """Tell whether all that is in view is there, or cannot be."""
        return self.is_broken(view) or all(key in self.cache for key in self._keys_of(view))

    def is_broken(self, view: LiveView) -> bool:
        """Tell whether the plane in view could not be stained."""
        return (view.level, view.plane) in self._broken

    def is_exact(self, view: LiveView) -> bool:
        """Tell whether what is in view is as in the full stain, and not by an estimate of the plane's contrast."""
        known = self._planes.is_exact((view.level, view.plane))
        return known and not any(key in self._stale for key in self._keys_of(view))

    def is_blank(self, view: LiveView) -> bool:
        """Tell whether the plane in view is known to be constant."""
        return self._planes.is_blank((view.level, view.plane))

    def forget(self) -> None:
        """Let go of all tiles: pixels have changed. Nothing is begun until something is wanted anew."""
        if self.source is not None:  # else it is being opened, and reads no pixels
            self._latest.drop()  # it is at the former ones
            self._let_go()

    def _let_go(self) -> None:
        for kept in (self.cache, self._planes, self._broken, self._stale):
            kept.clear()

    def _keys_of(self, view: LiveView) -> Iterator[TileKey]:
        return self._keys(view.level, view.plane, view.box, view.centre)

    def _keys(self, level: int, plane: PlaneIndex, box: Box, centre: tuple[float, float]) -> Iterator[TileKey]:
        """Go through the tiles that cover a box of a plane, those nearest to a point of it first."""
        if self.source is None or (grid := self.source.levels[level]) is None:
            return
        from napari_mitostain.staining.live import TileKey

        for place in grid.tiles(box, centre, self.source.side):
            yield TileKey(level, plane, place, self.source.side)

    def _in_order(self) -> Iterator[TileKey]:
        """Go through the tiles that are wanted and have room, the most wanted first."""
        room = self.cache.bound
        for view in self._wanted:
            for key in self._keys_of(view):
                assert self.source is not None
                box = self.source.levels[key.level].box(key.place, key.side)  # type: ignore[union-attr]
                room -= _PIXEL_BYTES * (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
                if room < 0:
                    return
                if _plane_of(key) not in self._broken:
                    yield key

    def _ask(self) -> None:
        """Ask for what is wanted most: what is in view, its exact contrast, then what may come into view."""
        if self._is_paused or self.source is None or not self._wanted:
            return
        key = next((key for key in self._in_order() if key not in self.cache or key in self._stale), None)
        seen = self._wanted[0].level, self._wanted[0].plane
        if (
            (key is None or _plane_of(key) != seen)
            and self._planes.is_to_be_measured(seen)
            and seen not in self._broken
        ):
            self._ask_to_measure(self._wanted[0])
        elif key is not None:
            self._ask_to_stain(key)

    def _ask_to_stain(self, key: TileKey) -> None:
        assert self.source is not None
        self._at = _plane_of(key)
        plane = self._planes.get(self._at)
        if plane is None:
            self._latest.ask(partial(make_ready, self.source, key, self._planes.contrast(self._at)))
        else:
            self._latest.ask(partial(stain_next, self.source, key, plane))

    def _ask_to_measure(self, view: LiveView) -> None:
        assert self.source is not None
        self._at = view.level, view.plane
        plane = self._planes.get(self._at)
        if plane is None:  # it was in view before
            self._latest.ask(partial(make_ready, self.source, next(self._keys_of(view)), None))
            return
        self._latest.ask(partial(measure_next, self._at, self._planes.strips(self._at, plane)))

    def _receive(self, answer: Any) -> None:
        from napari_mitostain.staining.live import LiveTile

        if isinstance(answer, Opened):
            self.source = answer.source
            self.opened.emit(answer)
        elif isinstance(answer, Ready):
            assert self.source is not None
            level = self.source.levels[answer.key.level]
            self._planes.keep(_plane_of(answer.key), answer.plane, level is not None and level.can_be_measured)
            self._ask()
        elif isinstance(answer, Strip):
            if answer.contrast is not None:
                self._planes.correct(answer.at, answer.contrast)
                # tiles by the estimate are seen until they are stained again
                self._stale.update(key for key, _ in self.cache.items() if _plane_of(key) == answer.at)
            self._ask()
        elif isinstance(answer, LiveTile):
            self._failures = 0
            self._stale.discard(answer.key)
            self.cache.put(answer.key, (answer.box, answer.values))
            self._ask()  # the thread goes on while the tile is shown
            self.stained.emit(answer)
        else:
            self._take_smaller_tiles()

    def _take_smaller_tiles(self) -> None:
        assert self.source is not None
        before = self.source.side
        try:
            self.source = self.source.with_smaller_tiles()
        except RuntimeError as error:
            self.failed.emit(error)
            return
        self.cache.clear()
        show_warning(f"Not enough memory for tiles of {before} pixels, going on with {self.source.side}.")
        self._ask()

    def _fail(self, error: Exception) -> None:
        """Leave the plane out that failed; give up if all do."""
        self._failures += 1
        if self._at is not None and self._failures < _PATIENCE:
            self._broken.add(self._at)
            self._ask()
        if self._failures < _PATIENCE and (self.is_busy or len(self.cache)):
            self.stumbled.emit(error)
        else:
            self.failed.emit(error)


def _plane_of(key: TileKey) -> At:
    return key.level, key.plane
