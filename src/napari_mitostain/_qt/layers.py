"""Between napari's layers and the core's stacks: axes, pixel sizes, planes in view, transforms of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from napari_mitostain._qt.view_state import WorldPoint, camera_of
from napari_mitostain.errors import ImageError
from napari_mitostain.image import UNITS, PlaneIndex, Stack

if TYPE_CHECKING:
    from napari.viewer import Viewer

_NAMES = {
    "T": ("t", "time", "frame", "frames"),
    "C": ("c", "ch", "channel", "channels"),
    "Z": ("z", "depth", "slice", "slices"),
    "Y": ("y", "row", "rows", "height"),
    "X": ("x", "column", "columns", "width"),
}
_LETTERS = {name: letter for letter, names in _NAMES.items() for name in names}

_TRANSFORMS = ("scale", "rotate", "shear", "affine", "units", "axis_labels")


def layer_axes(layer: Image, channel_axis: int | None) -> str:
    """Name a layer's axes by its axis labels; where those say nothing, Y and X are last, Z and T before them.

    Parameters
    ----------
    layer : Image
    channel_axis : int, optional
        The axis that holds channels, whatever its label.

    Raises
    ------
    ImageError
        If there are more axes than the core knows.
    """
    letters = ["" if letter == "C" else letter for letter in _named(layer)]
    if channel_axis is not None:
        letters[channel_axis] = "C"
    free = [letter for letter in "TZ" if letter not in letters]
    if (surplus := letters.count("") - len(free)) > 0:
        would_do = channel_axis is None and surplus == 1
        raise ImageError(
            f"Expected at most time, depth and one channel axis in {layer.name}, got {layer.ndim} dimensions; "
            f"{'choose the channel axis' if would_do else 'take the part to stain out of the layer first'}."
        )
    for position in reversed(range(layer.ndim)):
        if not letters[position]:
            letters[position] = free.pop()
    return "".join(letters)


def guess_channel_axis(layer: Image) -> int | None:
    """Return the axis that a layer's labels call channel; unlabelled ones (TCZYX, or ImageJ's TZCYX?) tell nothing."""
    letters = _named(layer)
    return letters.index("C") if "C" in letters else None


def channel_axes(layer: Image) -> list[tuple[str, int]]:
    """List the axes that may hold channels, for people."""
    letters = _named(layer)
    shape = _data(layer).shape
    return [
        (f"{layer.axis_labels[axis] if letters[axis] else f'axis {axis}'} (length {shape[axis]})", axis)
        for axis in range(layer.ndim)
        if letters[axis] not in ("Y", "X")
    ]


def channel_count(layer: Image, channel_axis: int) -> int:
    """Return the number of channels along an axis."""
    return int(_data(layer).shape[channel_axis])


def layer_stack(layer: Image, channel_axis: int | None = None) -> Stack:
    """Wrap a layer's data, as it is and without loading it, in a `Stack`.

    A multiscale layer gives its finest level. The layer's units tell the size of its pixels: in "pixel", the default
    of napari, it is unknown.

    Parameters
    ----------
    layer : Image
    channel_axis : int, optional

    Raises
    ------
    ImageError
        If the layer is RGB, or cannot be a stack for another reason.
    """
    if layer.rgb:
        return Stack(_data(layer), "YXS", name=layer.name)  # which refuses it, in the core's words
    axes = layer_axes(layer, channel_axis)
    scale = {letter: _in_unit(layer, axis, UNITS[letter]) for axis, letter in enumerate(axes) if letter in UNITS}
    return Stack(_data(layer), axes, {k: v for k, v in scale.items() if v is not None}, name=layer.name)


def layer_levels(layer: Image, channel_axis: int | None = None) -> tuple[Stack, ...]:
    """Wrap each resolution of a layer in a `Stack`, the finest first; see `layer_stack`.

    Raises
    ------
    ImageError
    """
    finest = layer_stack(layer, channel_axis)
    return (finest, *(replace(finest, data=data, scale={}) for data in (layer.data[1:] if layer.multiscale else ())))


def layer_pixel_size(layer: Image) -> float | None:
    """Return the side of a layer's pixels in micrometres, None if its unit is no length."""
    return _in_unit(layer, _named(layer).index("Y"), UNITS["Y"])


def plane_in_view(layer: Image, axes: str, point: WorldPoint) -> PlaneIndex:
    """Return the plane of a layer that lies at a point of the world, or the nearest to it.

    Parameters
    ----------
    layer : Image
    axes : str
        Of its stack.
    point : WorldPoint
    """
    position = np.rint(_in_data(layer, point)).astype(int)
    inside = np.clip(position, 0, np.array(_data(layer).shape) - 1)
    return tuple(int(i) for i, axis in zip(inside, axes, strict=True) if axis not in "YX")


def middle_of_view(viewer: Viewer, layer: Image, axes: str) -> tuple[int, int]:
    """Return the row and the column of a layer in the middle of the canvas, or the nearest there is."""
    point = WorldPoint.of(viewer)
    middle = list(point.values)
    for axis, place in zip(viewer.dims.displayed, camera_of(viewer).center[-len(viewer.dims.displayed) :], strict=True):
        middle[axis] = place
    position = np.clip(_in_data(layer, replace(point, values=tuple(middle))), 0, np.array(_data(layer).shape) - 1)
    return int(position[axes.index("Y")]), int(position[axes.index("X")])


def from_view(planes: Sequence[PlaneIndex], view: PlaneIndex) -> list[PlaneIndex]:
    """Order planes by their distance from the one in view: its own volume first, then earlier and later ones."""
    return sorted(planes, key=lambda plane: [abs(i - j) for i, j in zip(plane, view, strict=True)])


def carried(layer: Image, origin: Sequence[float]) -> dict[str, Any]:
    """Return the transforms of a result that begins at a pixel of the layer, as arguments of a new layer.

    Parameters
    ----------
    layer : Image
    origin : sequence of float
        The pixel of the layer that the result's first one lies on.
    """
    placed = Affine(
        scale=layer.scale, rotate=layer.rotate, shear=layer.shear, translate=layer.translate, ndim=layer.ndim
    )
    return {name: getattr(layer, name) for name in _TRANSFORMS} | {"translate": placed(np.asarray(origin, float))}


def unit_factors(layer: Image, point: WorldPoint) -> list[float]:
    """Return what the last values of a point are multiplied by to be in a layer's units, as napari does to slice it.

    A layer that has just been given other units is told of before the viewer has taken them up: nothing is known then.
    """
    units = [*(point.units or ())][-layer.ndim :]
    if len(units) < layer.ndim:
        return [1.0] * layer.ndim
    return [
        float((1 * unit).to(own).magnitude) if unit != own and unit.is_compatible_with(own) else 1.0
        for unit, own in zip(units, layer.units, strict=True)
    ]


def _in_data(layer: Image, point: WorldPoint) -> NDArray[np.float64]:
    """Return the position of a point in a layer's pixels."""
    values = np.zeros(layer.ndim)
    own = point.values[-layer.ndim :]
    values[layer.ndim - len(own) :] = own
    position: NDArray[np.float64] = np.nan_to_num(layer.world_to_data(values * unit_factors(layer, point)))
    return position


def _named(layer: Image) -> list[str]:
    """Letters of the axes as far as their labels tell; Y and X, always there, are the last two unless labelled."""
    letters = [_LETTERS.get(label.strip().lower(), "") for label in layer.axis_labels]
    if len({*letters} - {""}) < sum(map(bool, letters)):  # a label that comes twice tells nothing
        letters = [""] * layer.ndim
    if not {"Y", "X"} <= {*letters}:
        leading = ["" if letter in ("Y", "X") else letter for letter in letters[:-2]]
        letters = [*leading, "Y", "X"]
    return letters


def _data(layer: Image) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _in_unit(layer: Image, axis: int, unit: str) -> float | None:
    size = abs(float(layer.scale[axis])) * layer.units[axis]
    return float(size.to(unit).magnitude) if size.is_compatible_with(unit) else None
