"""File > Open Sample: simulated images that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_mitostain.image import UNITS, Stack
from napari_mitostain.image.files import read_stack

FOLDER = Path(__file__).parents[1] / "samples"

LayerData = tuple[Any, dict[str, Any], str]


def brightfield_stack() -> list[LayerData]:
    """Open a brightfield stack of simulated cells."""
    return [_layer_data("brightfield_stack", "brightfield")]


def pair() -> list[LayerData]:
    """Open brightfield and mitochondria of the same simulated cells."""
    return [_layer_data("pair_brightfield", "brightfield"), _mitochondria("pair_mitochondria")]


def stack_pair() -> list[LayerData]:
    """Open the simulated brightfield stack and its mitochondria: something to train on."""
    return brightfield_stack() + stack_mitochondria()


def stack_mitochondria() -> list[LayerData]:
    """Open the mitochondria that the simulated brightfield stack was made with."""
    return [_mitochondria("stack_mitochondria")]


def through_focus() -> list[LayerData]:
    """Open brightfield and mitochondria of simulated cells, from below the focus to above the cells."""
    return [_layer_data("focus_brightfield", "brightfield"), _mitochondria("focus_mitochondria")]


def time_lapse() -> list[LayerData]:
    """Open brightfield and mitochondria of simulated cells that live."""
    return [_layer_data("times_brightfield", "brightfield"), _mitochondria("times_mitochondria")]


def _mitochondria(file: str) -> LayerData:
    return _layer_data(file, "mitochondria", colormap="green", blending="additive")


def _layer_data(file: str, name: str, **look: Any) -> LayerData:
    stack = read_stack(FOLDER / f"{file}.ome.tif")
    return stack.data, {"name": name, **_calibration(stack), **look}, "image"


def _calibration(stack: Stack) -> dict[str, Any]:
    """Return scale, units and axis labels; an axis of unknown scale counts pixels."""
    return {
        "scale": [stack.scale.get(axis, 1) for axis in stack.axes],
        "units": [UNITS[axis] if axis in stack.scale else "pixel" for axis in stack.axes],
        "axis_labels": [axis.lower() for axis in stack.axes],
    }
