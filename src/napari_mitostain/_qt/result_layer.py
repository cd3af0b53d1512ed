"""The layer that a job fills: added or replaced, refreshed as pixels come, given back if there was nothing to show."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import DTypeLike, NDArray

from napari_mitostain.errors import FileError

if TYPE_CHECKING:
    from napari.viewer import Viewer

METADATA = "mitostain"
"""Key of a layer's metadata under which a result says what it is and where it comes from."""

_IN_MEMORY_BYTES = 4 * 2**30
"""Results larger than this lie in a temporary file, which goes away with its layer."""

Left = Literal["new", "earlier", "nothing"]
"""What there is of a result once its run has ended."""

_NUMBERS = itertools.count()

_REFRESH_S = 0.1
_REFRESH_SHARE = 10
"""Refreshes of a huge plane are slow; they get at most one part in ten of the main thread's time."""


def empty_result(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return zeros that take up memory (or room on disk) only where they are filled.

    Raises
    ------
    FileError
        If the result is too large for memory and for the temporary folder.
    """
    needed = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if needed <= _IN_MEMORY_BYTES:
        return np.zeros(shape, dtype)
    if (room := shutil.disk_usage(tempfile.gettempdir()).free) < needed:
        raise _no_room(needed, f"{room / 2**30:.1f} GB")
    try:
        with tempfile.TemporaryFile() as file:  # the mapping keeps the nameless file until it goes
            if hasattr(os, "posix_fallocate"):  # a sparse file on a disk that fills up would kill the process
                os.posix_fallocate(file.fileno(), 0, needed)
            return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        raise _no_room(needed, str(error.strerror)) from error


def _no_room(needed: int, found: str) -> FileError:
    return FileError(
        f"Expected {needed / 2**30:.1f} GB of room in {tempfile.gettempdir()} for the result, got {found}; "
        "choose the current plane, or use `mitostain stain` to write to a file."
    )


def find_result(viewer: Viewer, source: Image, kind: str) -> Image | None:
    """Return the newest result of a kind ("stain", "weights") that was made from a layer, if it is still there.

    A copy of a result is the user's own, whatever it says of itself.
    """
    results = [layer for layer in viewer.layers if _origin(layer) == (kind, str(source.unique_id))]
    own = [layer for layer in results if layer.metadata[METADATA].get("layer") == str(layer.unique_id)]
    return max(own, key=lambda layer: layer.metadata[METADATA]["made"], default=None)


def signature(layer: Layer) -> dict[str, Any]:
    """Return what a result says of itself, beside its origin: which layer it is, and its number among all made."""
    return {"layer": str(layer.unique_id), "made": next(_NUMBERS)}


class ResultLayer:
    """A layer on its way to be complete. Only for the main thread.

    Its layer is no longer its own once another run, or the user, puts other pixels there.

    Parameters
    ----------
    viewer : Viewer
    data : ndarray of float32
        Filled by a job.
    source : Image
        What the result is made from.
    kind : str
        Such as "stain"; added to the source's name.
    transforms : mapping
        See `carried`.
    look : mapping
        Colormap, blending and so on of a new layer; a replaced one keeps its own.
    replaced : Image, optional
        The layer whose pixels the result takes the place of.
    """

    def __init__(
        self,
        viewer: Viewer,
        data: NDArray[np.float32],
        source: Image,
        kind: str,
        transforms: Mapping[str, Any],
        look: Mapping[str, Any],
        replaced: Image | None = None,
    ) -> None:
        self._viewer, self._data = viewer, data
        self._next_refresh, self._is_empty = 0.0, True
        self.metadata = {"result": kind, "source_layer": str(source.unique_id)}
        self._before = _state(replaced, transforms) if replaced is not None else None
        if replaced is None:
            self.layer = Image(data, rgb=False, name=f"{source.name} {kind}", **transforms, **look)
        else:
            self.layer = replaced
            _apply(self.layer, {"data": data, **transforms})
        self.record(signature(self.layer))  # before it is in the list, where others ask what it is
        if replaced is None:
            add_beside(viewer, self.layer)

    def record(self, metadata: Mapping[str, Any]) -> None:
        """Add to what the layer says about its origin."""
        self.metadata = {**self.metadata, **metadata}
        if self._is_own:
            self.layer.metadata = {**self.layer.metadata, METADATA: self.metadata}

    def painted(self, in_view: Sequence[bool]) -> None:
        """Show new pixels, unless that was done just now; `in_view` tells for each change whether it can be seen."""
        self._is_empty = self._is_empty and not in_view
        if any(in_view) and (begin := perf_counter()) >= self._next_refresh:
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)
            end = perf_counter()
            self._next_refresh = end + max(_REFRESH_S, _REFRESH_SHARE * (end - begin))

    def finish(self, is_complete: bool = True) -> Left:
        """Leave the layer as far as it was filled, and tell what the viewer has of it.

        One that was not filled goes, or shows again what it showed before; so does one that was filled in part, if that
        was in the place of an earlier result.
        """
        if not self._is_own or self.layer not in self._viewer.layers:
            return "nothing"
        if self._before is not None and (self._is_empty or not is_complete):
            _apply(self.layer, self._before)
            return "earlier"
        if self._is_empty:
            self._viewer.layers.remove(self.layer)
            return "nothing"
        self.record({})  # again, if the layer was another's meanwhile
        self.layer.refresh()
        return "new"

    @property
    def _is_own(self) -> bool:
        return self.layer.data is self._data


def add_beside(viewer: Viewer, layer: Layer) -> None:
    """Add a layer and leave the selection: the user goes on with the layers at hand."""
    selected = {*viewer.layers.selection}
    viewer.add_layer(layer)
    viewer.layers.selection = selected


def image_choices(viewer: Viewer) -> list[tuple[str, Image | None]]:
    """List the images that results may be made from, and not the results, by name."""
    layers = [layer for layer in viewer.layers if isinstance(layer, Image) and METADATA not in layer.metadata]
    return [(layer.name, layer) for layer in layers] or [("no image is open", None)]


def result_kind(layer: Layer) -> str | None:
    """Return what kind of result a layer is, None if it is none."""
    kind: str | None = _origin(layer)[0]
    return kind


def _origin(layer: Any) -> tuple[Any, Any]:
    told = layer.metadata.get(METADATA, {})
    return (told.get("result"), told.get("source_layer")) if isinstance(told, Mapping) else (None, None)


def _state(layer: Image, names: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: getattr(layer, name) for name in ("data", *names)}
    return {**values, "metadata": dict(layer.metadata)}  # a copy: napari fills the layer's own dictionary anew


def _apply(layer: Image, state: Mapping[str, Any]) -> None:
    for name, value in state.items():
        setattr(layer, name, value)
