"""Layers that hold one plane of a source each, and follow it from plane to plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_mitostain._qt.layers import carried
from napari_mitostain._qt.result_layer import METADATA, add_beside, signature
from napari_mitostain.image import PlaneIndex, Stack

if TYPE_CHECKING:
    from napari.viewer import Viewer


@dataclass(frozen=True)
class Place:
    """A plane of a layer.

    Attributes
    ----------
    source : Image
    stack : Stack
        Of the layer.
    index : tuple of int
        Of the plane.
    """

    source: Image
    stack: Stack
    index: PlaneIndex

    def transforms(self) -> dict[str, Any]:
        """Return the transforms of a layer that lies on the plane."""
        leading = iter(self.index)
        return carried(self.source, [0 if axis in "YX" else next(leading) for axis in self.stack.axes])

    def laid(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Give a plane (Y, X) the axes of the layer: length 1 but for Y and X."""
        sides = zip(self.stack.axes, self.stack.shape, strict=True)
        shape = tuple(length if axis in "YX" else 1 for axis, length in sides)
        data = np.zeros(shape, values.dtype) if out is None or out.shape != shape or out.dtype != values.dtype else out
        self.stack.put(data, (0,) * len(self.index), values)
        return data


class PlaneLayers:
    """The layers of a widget, by kind. Only for the main thread.

    Parameters
    ----------
    viewer : Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: dict[str, Layer] = {}

    def __bool__(self) -> bool:
        return any(layer in self._viewer.layers for layer in self._layers.values())

    def __iter__(self) -> Any:
        return iter([*self._layers.values()])

    def put(
        self,
        kind: str,
        values: NDArray[Any],
        place: Place,
        make: Callable[..., Layer],
        told: Mapping[str, Any],
    ) -> Layer:
        """Show a plane in the layer of its kind, which is made if it is not there.

        Parameters
        ----------
        kind : str
        values : ndarray
            (Y, X).
        place : Place
        make : callable
            Takes the data and the transforms, gives the layer.
        told : mapping
            What the layer's metadata say beside its kind and source.
        """
        layer = self._layers.get(kind)
        origin = {"result": kind, "source_layer": str(place.source.unique_id), **told}
        data = place.laid(values, None if layer is None else layer.data)
        if layer is not None and data is layer.data:
            move_layer(layer, place.transforms())
            layer.metadata = {**layer.metadata, METADATA: origin | signature(layer)}
            layer.refresh(thumbnail=False, extent=False, highlight=False)
        else:
            self.remove(kind)
            layer = self._layers[kind] = make(data, **place.transforms())
            # before it is in the list, where others ask what it is
            layer.metadata[METADATA] = origin | signature(layer)
            add_beside(self._viewer, layer)
        return layer

    def forget(self, layer: Layer) -> str | None:
        """Let go of a layer that was deleted, and tell its kind."""
        for kind, own in [*self._layers.items()]:
            if own is layer:
                del self._layers[kind]
                return kind
        return None

    def forget_deleted(self) -> None:
        """Let go of all that the user has deleted: it is made anew when it is put again."""
        self._layers = {kind: layer for kind, layer in self._layers.items() if layer in self._viewer.layers}

    def remove(self, *kinds: str) -> None:
        """Take layers away, all without a name."""
        for kind in kinds or [*self._layers]:
            layer = self._layers.pop(kind, None)
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)


def move_layer(layer: Layer, transforms: Mapping[str, Any]) -> None:
    """Give a layer its place; each change costs the viewer a redraw, so only what differs is set."""
    for name, value in transforms.items():
        if not _same(getattr(layer, name), value):
            setattr(layer, name, value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Sequence):
        return tuple(one) == tuple(other)
    one, other = (np.asarray(getattr(value, "affine_matrix", value)) for value in (one, other))
    return one.shape == other.shape and bool((one == other).all())
