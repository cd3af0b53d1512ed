"""The weights of a plane as layers: the map, half seen through, and the lines of its thresholds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_mitostain._qt.plane_layers import Place, PlaneLayers
from napari_mitostain._qt.plane_look import Look
from napari_mitostain._qt.weights_plot import FIRST, SECOND

_LOOKS: dict[str, Callable[..., Layer]] = {
    "weights": partial(
        Image,
        colormap="viridis",
        blending="translucent_no_depth",
        opacity=0.5,  # half seen through: weights and image can be compared place by place
        contrast_limits=(0.0, 1.0),
        rgb=False,
    ),
    "contours": partial(
        Labels,
        colormap=DirectLabelColormap(color_dict={None: "transparent", 1: FIRST, 2: SECOND}),
        opacity=0.9,
    ),
}
"""How the layers are made; the lines come last and lie over the weights."""

_DESCRIPTION = "Weights of the threshold-normalised L1 loss (Somani et al., BVM 2021), of the plane in view."

KINDS = frozenset(_LOOKS)


def show_weights(layers: PlaneLayers, seen: Look, place: Place, shown: frozenset[str]) -> None:
    """Show the layers "weights" and "contours" of a plane, as far as they are wanted."""
    told = {"settings": seen.request.settings.to_dict(), "description": _DESCRIPTION}
    pixels: dict[str, Any] = {"weights": seen.view.weights, "contours": seen.view.contours}
    for kind, make in _LOOKS.items():
        if kind in shown:
            layers.put(kind, pixels[kind], place, partial(make, name=f"{place.source.name} TN {kind}"), told)
