"""What the live stain says it is at."""

from __future__ import annotations

from napari_mitostain._qt.live_tiles import LiveTiles
from napari_mitostain._qt.live_view import LiveView

LOADING = "Live: loading the model…"
NO_PLANE = "Live: waiting for a view of rows and columns; other views show no plane of the stack."
TOO_COARSE = "Live: the pixels in view are too coarse for the model; zoom in."

_STAINING = "Live: staining what is in view…"
_STAINED = "Live: what is in view is stained. The stain is predicted, not measured."
_EMPTY = "Live: the plane in view is constant, its stain is empty."
_BROKEN = "Live: the plane in view could not be stained; a notification says why."
_ESTIMATED = "Live: what is in view is stained. Its plane is large: until it is measured, its contrast is an estimate."
_BESIDE = "Live: the stain is at channel {}; move slider {} there to see it."


def words_of(view: LiveView, tiles: LiveTiles, channel: int) -> str:
    """Say how far a view is stained, and where its stain is to be seen if not here.

    Parameters
    ----------
    view : LiveView
    tiles : LiveTiles
    channel : int
        The one that is stained.
    """
    if view.beside:
        return _BESIDE.format(channel, view.beside)
    if tiles.is_broken(view):
        return _BROKEN
    if not tiles.is_complete(view):
        return _STAINING
    if not tiles.is_exact(view):
        return _ESTIMATED
    return _EMPTY if tiles.is_blank(view) else _STAINED
