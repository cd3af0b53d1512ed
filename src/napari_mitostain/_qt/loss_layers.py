"""The loss of a stain as layers: the paper's Fig. 3, A to E, and two surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Surface
from numpy.typing import NDArray
from skimage.transform import downscale_local_mean

from napari_mitostain._qt.plane_layers import Place, PlaneLayers
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

_SURFACES = {"loss before weighting": "error", "loss after weighting": "weighted"}
_MESH = 192
"""Points of a surface along its longer side: finer ones only cost time to turn."""

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
        if part in _SURFACES.values():
            layer.contrast_limits = (0.0, top)


def surfaces(seen: LossView, pixel: tuple[float, float], units: Sequence[Any]) -> list[Surface]:
    """Make the landscapes of the loss before and after weighting, side by side and in one scale.

    Parameters
    ----------
    seen : LossView
    pixel : tuple of float
        Height and width of a pixel in the world's units.
    units : sequence
        Of height, rows and columns.
    """
    height, width = seen.error.shape
    top = max(float(seen.error.max()), 1e-6)
    made = []
    for number, (name, part) in enumerate(_SURFACES.items()):
        mesh = _mesh(getattr(seen, part), _STEEPNESS * max(height * pixel[0], width * pixel[1]), pixel)
        layer = Surface(
            mesh,
            name=name,
            colormap="plasma",
            contrast_limits=(0.0, top),
            shading="smooth",
            units=units,
            translate=(0.0, 0.0, _GAP * number * width * pixel[1]),
        )
        layer.metadata[METADATA] = {"result": name}
        made.append(layer)
    return made


def _mesh(
    loss: NDArray[np.float32], height: float, pixel: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
    """Return vertices (N, 3) in (Z, Y, X), triangles (M, 3) and values (N,); the loss rises towards the viewer."""
    factor = max(1, -(-max(loss.shape) // _MESH))
    small = downscale_local_mean(loss, (factor, factor)).astype(np.float32)  # type: ignore[no-untyped-call]
    rows, columns = np.indices(small.shape)
    vertices = np.stack([-height * small, rows * factor * pixel[0], columns * factor * pixel[1]], axis=-1)
    numbers = np.arange(small.size).reshape(small.shape)
    corners = numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, :-1], numbers[1:, 1:]  # of each cell
    first = np.stack([corners[0], corners[1], corners[2]], axis=-1).reshape(-1, 3)
    second = np.stack([corners[1], corners[3], corners[2]], axis=-1).reshape(-1, 3)
    return vertices.reshape(-1, 3), np.concatenate([first, second]), small.ravel()
