"""Planes that a live stain has made ready, and how well it knows their contrast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_mitostain._qt.live_cache import Recent
from napari_mitostain.image import PlaneContrast, PlaneIndex

if TYPE_CHECKING:
    from napari_mitostain.staining.live_plane import LivePlane

_KEPT = 2
"""Planes that are kept ready: the one in view, and one that is stained ahead."""

At = tuple[int, PlaneIndex]
"""A plane of a level."""

Strips = Iterator[PlaneContrast | None]
"""See `LivePlane.measure`."""


class LivePlanes:
    """Keeps the planes used last, and of all planes what was measured."""

    def __init__(self) -> None:
        self._ready: Recent[At, LivePlane] = Recent(_KEPT, lambda _: 1)
        self._contrasts: dict[At, PlaneContrast] = {}
        self._estimated: set[At] = set()  # still to be measured
        self._inexact: set[At] = set()  # too large for that
        self._blank: set[At] = set()
        self._strips: tuple[At, Strips] | None = None  # of the one that is being measured

    def get(self, at: At) -> LivePlane | None:
        """Return a plane that is ready."""
        return self._ready.get(at)

    def keep(self, at: At, plane: LivePlane, can_be_measured: bool) -> None:
        """Keep a plane that is ready."""
        self._ready.put(at, plane)
        (self._blank.add if plane.is_blank else self._blank.discard)(at)
        if not plane.is_exact:
            (self._estimated if can_be_measured else self._inexact).add(at)

    def contrast(self, at: At) -> PlaneContrast | None:
        """Return the contrast that was measured of a plane."""
        return self._contrasts.get(at)

    def is_to_be_measured(self, at: At) -> bool:
        """Tell whether a plane was stained by an estimate that can be replaced."""
        return at in self._estimated

    def is_exact(self, at: At) -> bool:
        """Tell whether a plane is stained by its own contrast."""
        return at not in self._estimated and at not in self._inexact

    def is_blank(self, at: At) -> bool:
        """Tell whether a plane was found to be constant."""
        return at in self._blank

    def strips(self, at: At, plane: LivePlane) -> Strips:
        """Return what is left to be measured of a plane; that of another is given up."""
        if self._strips is None or self._strips[0] != at:
            self._strips = at, plane.measure()
        return self._strips[1]

    def correct(self, at: At, contrast: PlaneContrast) -> None:
        """Make a plane ready anew, by the contrast that was measured."""
        self._contrasts[at], self._strips = contrast, None
        self._estimated.discard(at)
        self._ready.drop(at)

    def clear(self) -> None:
        """Let go of all."""
        self._strips = None
        for kept in (self._ready, self._contrasts, self._estimated, self._inexact, self._blank):
            kept.clear()
