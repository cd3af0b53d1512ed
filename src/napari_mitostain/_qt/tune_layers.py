"""The layers of the time machine: brightfield, fluorescence and stain of a run's crops beside each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtWidgets import QWidget

from napari_mitostain._qt.canvas import canvas_beside
from napari_mitostain._qt.result_layer import METADATA, add_beside
from napari_mitostain._qt.tune_crops import Crops
from napari_mitostain._qt.tune_history import title_of
from napari_mitostain._qt.view_state import Takeover, camera_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

BRIGHTFIELD, TRUTH, STAIN = "crops in brightfield", "fluorescence (measured)", "stain"
_LOOKS = {BRIGHTFIELD: ("gray", "top_left"), TRUTH: ("green", "top_center"), STAIN: ("magenta", "top_right")}
"""Of the layers, left to right: their colours, and where the canvas names them."""

_GAP_PX = 16
"""Between the mosaics."""

_EVERYWHERE = 1e9
"""Thickness of the stain's planes along axes of the user's: it is there wherever their sliders are."""

_FILLED = 0.92
"""Part of the canvas that the mosaics take up."""

_KEPT = ("name", "visible", "colormap", "contrast_limits", "gamma", "opacity")
"""Of a stain that is made anew for more axes."""

_PERCENTILE = 99.8
"""Of the fluorescence that is shown in full colour; the stain is shown by the same measure."""

_PREDICTED = "Digitally predicted from brightfield, by the model of each epoch; relative intensity, not measured."


class CropLayers:
    """Three layers that take the viewer over while they are there. Only for the main thread.

    Parameters
    ----------
    viewer : Viewer
    beside : QWidget
        In the viewer's window.
    run : Path
        Whose crops they are, for their metadata.
    leave : callable
        Removes them at once; called when something else takes the viewer over.
    """

    def __init__(self, viewer: Viewer, beside: QWidget, run: Path, leave: Callable[[], None]) -> None:
        self._viewer, self._beside, self._run, self._leave = viewer, beside, run, leave
        self._layers: dict[str, Image] = {}
        self._before: tuple[Takeover, tuple[int, ...]] | None = None

    def __bool__(self) -> bool:
        return STAIN in self._layers

    def __contains__(self, layer: Any) -> bool:
        return any(own is layer for own in self._layers.values())

    @property
    def shares_axis(self) -> bool:
        """Whether the slider of the epochs moves another layer too."""
        return bool(self) and self._layers[STAIN].ndim <= self._leading() + 2

    @property
    def page(self) -> int:
        """Which of the stains is in view."""
        return int(self._viewer.dims.current_step[self._axis])

    def make(self, crops: Crops) -> None:
        """Hide the user's layers, and add those of the crops where all of them are seen."""
        viewer = self._viewer
        self._before = Takeover(viewer, self._leave), viewer.dims.order
        for layer in viewer.layers:
            layer.visible = False
        viewer.dims.ndisplay = 2
        self._limit = float(max(1.0, np.percentile(crops.truth, _PERCENTILE)))
        self._pixel = float(min(viewer.layers.extent.step[-2:]))
        self._put(BRIGHTFIELD, crops.brightfield, contrast_limits=(0, 255))
        self._put(TRUTH, crops.truth)
        self._put_stain(crops)
        viewer.dims.order = tuple(range(viewer.dims.ndim))
        self._look()

    def renew(self, crops: Crops) -> None:
        """Show the stains of other epochs; an axis that is some other layer's as well gives way to one of its own."""
        stain = self._layers[STAIN]
        if not self.shares_axis:
            stain.data = _with_axes(crops.stains, stain.ndim - 3)
        else:
            self.forget(stain)
            self._viewer.layers.remove(stain)
            self._put_stain(crops)
            for name in _KEPT:
                setattr(self._layers[STAIN], name, getattr(stain, name))
        self._layers[STAIN].metadata[METADATA]["epochs"] = crops.epochs

    def turn_to(self, page: int) -> None:
        """Show one of the stains."""
        if self.page != page:
            self._viewer.dims.set_current_step(self._axis, page)

    def name(self, epoch: int) -> None:
        """Say whose stain is in view, in the list of layers and on the canvas."""
        self._layers[STAIN].name = f"{STAIN}, {title_of(epoch)} (predicted)"

    def forget(self, layer: Image) -> None:
        """Let go of a layer that is deleted."""
        self._layers = {kind: own for kind, own in self._layers.items() if own is not layer}

    def remove(self) -> None:
        """Take the layers away, and bring back what was seen before."""
        layers, self._layers = [*self._layers.values()], {}
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        if self._before is not None:
            (taken, order), self._before = self._before, None
            if len(order) == self._viewer.dims.ndim:
                self._viewer.dims.order = order
            taken.give_back()

    @property
    def _axis(self) -> int:
        axis: int = self._viewer.dims.ndim - self._layers[STAIN].ndim
        return axis

    def _leading(self) -> int:
        """Return how many axes but Y and X the other layers have."""
        return max((layer.ndim for layer in self._viewer.layers if layer not in self), default=2) - 2

    def _put_stain(self, crops: Crops) -> None:
        """Add the stain, with an axis of epochs before all axes of other layers."""
        among, dims = self._leading(), self._viewer.dims
        self._put(
            STAIN,
            _with_axes(crops.stains, among),
            thick=(1, *[_EVERYWHERE] * among),
            origin=(0, *dims.point[dims.ndim - 2 - among : dims.ndim - 2]),
            axis_labels=("epoch", *dims.axis_labels[dims.ndim - 2 - among :]),
            told={"digitally_predicted": True, "description": _PREDICTED, "epochs": crops.epochs},
        )

    def _put(
        self,
        name: str,
        data: NDArray[np.uint8],
        thick: tuple[float, ...] = (),
        origin: tuple[float, ...] = (),
        told: Any = None,
        **look: Any,
    ) -> None:
        """Add a layer whose pixels are as large as the user's, in their units: napari wants the same of all layers."""
        colormap, corner = _LOOKS[name]
        left = self._pixel * [*_LOOKS].index(name) * (data.shape[-1] + _GAP_PX)
        placed: dict[str, Any] = {"scale": (*thick, self._pixel, self._pixel), "translate": (*origin, 0, left)}
        placed["units"] = self._units_of(len(thick))
        metadata = {METADATA: {"result": f"{name} of a run", "run": str(self._run), **(told or {})}}
        look = {"colormap": colormap, "contrast_limits": (0.0, self._limit)} | look
        layer = self._layers[name] = Image(data, name=name, metadata=metadata, **placed, **look)
        if (overlay := getattr(layer, "name_overlay", None)) is not None:  # napari before 0.7 has none
            overlay.position, overlay.visible = corner, True
        add_beside(self._viewer, layer)

    def _units_of(self, leading: int) -> list[Any]:
        """Return the units of a layer with so many axes before Y and X, the first of them the epochs'."""
        users = [*(self._viewer.layers.units or ())][-2 - max(0, leading - 1) :]
        return [*["pixel"] * (leading + 2 - len(users)), *users]

    def _look(self) -> None:
        """Fit the mosaics into the canvas; the viewer itself would fit in all layers, hidden ones too."""
        height, width = self._layers[TRUTH].data.shape
        width = 3 * width + 2 * _GAP_PX
        canvas, camera = canvas_beside(self._beside), camera_of(self._viewer)
        camera.center = (self._pixel * (height - 1) / 2, self._pixel * (width - 1) / 2)
        if canvas is not None:
            camera.zoom = _FILLED / self._pixel * min(canvas.height() / height, canvas.width() / width)


def _with_axes(stains: NDArray[np.uint8], among: int) -> NDArray[np.uint8]:
    """Put axes of length 1 between that of the epochs and the planes."""
    return stains.reshape(len(stains), *[1] * among, *stains.shape[1:])
