"""The loss of a stain as layers: the paper's Fig. 3, A to E, and two surfaces."""

from __future__ import annotations

from functools import partial

import numpy as np
from napari.layers import Image, Surface
from numpy.typing import NDArray

from napari_mitostain._qt.plane_layers import Place, PlaneLayers
from napari_mitostain._qt.plane_look import LossLook, Relief
from napari_mitostain._qt.result_layer import METADATA
from napari_mitostain.weighting import LossView

_RELATIVE = (0.0, 1.0)
_PANELS: dict[str, tuple[str, str]] = {
    "A target": ("target", "gray"),
    "B stain": ("stain", "gray"),
    "C |target − stain|": ("error", "magma"),
    "D TN weights": ("weights", "viridis"),
    "E weights × |target − stain|": ("weighted", "magma"),
}
"""Names of the layers, what of a `LossView` each shows, and in which colours."""

_IN_ONE_SCALE = ("error", "weighted")
_SURFACES = ("loss before weighting", "loss after weighting")

Mesh = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) in (Z, Y, X), triangles (M, 3) and values (N,)."""

_STEEPNESS = 0.5
"""Height of an error of 1, in parts of the plane's width."""

_GAP = 1.08
"""Distance of the two surfaces in widths of the plane."""


def show_panels(layers: PlaneLayers, seen: LossView, place: Place) -> None:
    """Show the layers A to E of a plane; C and E in one scale, so that they differ by the weights alone."""
    top = max(float(seen.error.max()), 1e-6)
    for name, (part, colormap) in _PANELS.items():
        make = partial(Image, name=name, colormap=colormap, rgb=False, contrast_limits=_RELATIVE)
        layer = layers.put(f"loss {name[0]}", getattr(seen, part), place, make, {})
        if part in _IN_ONE_SCALE:
            layer.contrast_limits = (0.0, top)


def surfaces(seen: LossLook, target: Image) -> list[Surface]:
    """Make the landscapes of the loss before and after weighting, side by side and in one scale.

    Parameters
    ----------
    seen : LossLook
    target : Image
        Of whose plane it is: the landscapes are as large.
    """
    _, width = _size(seen, target)
    rows, columns = (target.units[axis] for axis in _sides(seen))
    top = max(float(seen.loss.error.max()), 1e-6)
    made = []
    for number, (name, mesh) in enumerate(zip(_SURFACES, meshes(seen, target), strict=True)):
        layer = Surface(
            mesh,
            name=name,
            colormap="plasma",
            contrast_limits=(0.0, top),
            shading="smooth",
            units=[rows, rows, columns],
            translate=(0.0, 0.0, _GAP * number * width),
        )
        layer.metadata[METADATA] = {"result": name}
        made.append(layer)
    return made


def meshes(seen: LossLook, target: Image) -> list[Mesh]:
    """Return the data of the landscapes before and after weighting; see `surfaces`."""
    size = _size(seen, target)
    pixel = (size[0] / seen.loss.error.shape[0], size[1] / seen.loss.error.shape[1])
    return [_mesh(relief, _STEEPNESS * max(size), pixel) for relief in seen.reliefs]


def _size(seen: LossLook, target: Image) -> tuple[float, float]:
    """Return the height and the width of a plane in the units of its layer."""
    sides = zip(seen.loss.error.shape, _sides(seen), strict=True)
    height, width = (length * abs(float(target.scale[axis])) for length, axis in sides)
    return height, width


def _sides(seen: LossLook) -> list[int]:
    """Return the axes of the rows and the columns."""
    return [seen.seen.request.stack.axes.index(axis) for axis in "YX"]


def _mesh(relief: Relief, height: float, pixel: tuple[float, float]) -> Mesh:
    """Span a relief with triangles; the loss rises towards the viewer."""
    small, step = relief.values, relief.step
    rows, columns = np.indices(small.shape)
    vertices = np.stack([-height * small, rows * step * pixel[0], columns * step * pixel[1]], axis=-1)
    numbers = np.arange(small.size).reshape(small.shape)
    corners = numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, :-1], numbers[1:, 1:]  # of each cell
    first = np.stack([corners[0], corners[1], corners[2]], axis=-1).reshape(-1, 3)
    second = np.stack([corners[1], corners[3], corners[2]], axis=-1).reshape(-1, 3)
    return vertices.reshape(-1, 3), np.concatenate([first, second]), small.ravel()
