"""The part of the weight widget that shows the loss of a stain before and after weighting."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox
from napari.layers import Image, Layer
from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.layers import guess_channel_axis, layer_stack, plane_in_view
from napari_mitostain._qt.loss_layers import meshes, show_panels, surfaces
from napari_mitostain._qt.plane_layers import Place, PlaneLayers
from napari_mitostain._qt.plane_look import Look, LossLook, look_at_loss
from napari_mitostain._qt.result_layer import result_kind
from napari_mitostain._qt.rows import narrowed, renew_choices
from napari_mitostain._qt.view_state import Takeover, WorldPoint, camera_of
from napari_mitostain.errors import ImageError, MitostainError
from napari_mitostain.weighting import BAND_NAMES, LossView

if TYPE_CHECKING:
    from napari.viewer import Viewer

_HEAD = {
    "pixels": "Part of the plane's pixels",
    "L1": "Part of the plain L1 loss, before weighting",
    "TN": "Part of the TN loss, after weighting",
}

_FROM_THE_SIDE = (0.0, 0.0, 125.0)
"""Angles of the camera from which the landscape's heights are seen."""


class LossSection(QWidget):
    """Compares the plane that the weight widget looks at with a stain of the same place.

    Attributes
    ----------
    failed : Signal(Exception)
    held : Signal(bool)
        The landscape comes up (what is in view is not the plane then), or has gone.
    """

    failed = Signal(object)
    held = Signal(bool)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._latest = Latest(self)
        self._seen: Look | None = None
        self._target: Image | None = None
        self._shown: LossLook | None = None
        self.panels = PlaneLayers(viewer)
        self._surfaces: list[Layer] = []
        self._taken: Takeover | None = None
        self.stain = ComboBox(choices=self._stains, tooltip="A stain of the same place, or any image of its size.")
        self.button = QPushButton("Show the loss")
        self.landscape = QCheckBox("3-D landscape")
        self.table = _table()
        self.words = QLabel()
        self._lay_out()
        self._connect()

    def reset_choices(self) -> None:
        """Follow the viewer's layers."""
        if renew_choices(self.stain):  # another image is not what the user asked to compare
            self._latest.drop()
            self.landscape.setChecked(False)
            self.panels.remove()
        self.button.setEnabled(self.stain.value is not None and self._seen is not None)

    def look(self, seen: Look, target: Image) -> None:
        """Take up a new look of the weight widget; what is shown follows."""
        self._seen, self._target = seen, target
        self.reset_choices()
        if self.panels or self._surfaces:
            self._ask()

    def close_layers(self) -> None:
        """Take away what was shown."""
        self._latest.drop()
        self.landscape.setChecked(False)
        self.panels.remove()
        self._shown, self._seen = None, None
        for widget in (self.table, self.words, self.landscape):
            widget.hide()
        self.button.setEnabled(False)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("stain", narrowed(self.stain.native))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for widget in (self.button, self.table, self.words, self.landscape):
            layout.addWidget(widget)
        self.words.setWordWrap(True)
        self.button.setToolTip("Layers A to E: target, stain, their difference, the weights, and both multiplied.")
        for widget in (self.table, self.words, self.landscape):
            widget.hide()
        self.button.setEnabled(False)

    def _connect(self) -> None:
        self.button.clicked.connect(self._show_anew)
        self.stain.changed.connect(self._on_stain)
        self.landscape.toggled.connect(self._show_landscape)
        self._latest.answered.connect(self._show)
        self._latest.failed.connect(self.failed)

    def _stains(self, _: Any) -> list[tuple[str, Image | None]]:
        """List the images that may be a stain: stains first."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and layer is not self._target]
        stains = [layer for layer in images if result_kind(layer) == "stain"]
        others = [layer for layer in images if result_kind(layer) is None]
        return [(layer.name, layer) for layer in (*stains, *others)] or [("no stain is open", None)]

    def _on_stain(self, _: Any = None) -> None:
        if self.panels:
            self._ask()

    def _show_anew(self) -> None:
        """Show all five layers, those that were deleted too."""
        self.panels.forget_deleted()
        self._ask()

    def _ask(self) -> None:
        stain = self.stain.value
        if self._seen is None or stain is None:
            return
        try:
            stack = layer_stack(stain, guess_channel_axis(stain))
            if stack.plane_shape != self._seen.view.weights.shape:
                raise ImageError(
                    f"Expected a stain of {self._seen.view.weights.shape} pixels, got {stack.plane_shape} in "
                    f"{stain.name}; choose a stain of the same place."
                )
        except MitostainError as error:
            self.failed.emit(error)
            return
        point = WorldPoint.of(self._viewer) if self._taken is None else self._taken.before.point
        index = plane_in_view(stain, stack.axes, point)
        self._latest.ask(partial(look_at_loss, self._seen, stack, index))

    def _show(self, answer: LossLook) -> None:
        target, asked = self._target, answer.seen.request
        if self._seen is None or target is None or target not in self._viewer.layers:
            return
        self._shown = answer
        show_panels(self.panels, answer.loss, Place(target, asked.stack, asked.index))
        self._tell(answer.loss)
        if self._surfaces:
            for layer, mesh in zip(self._surfaces, meshes(answer, target), strict=True):
                # weights change one of them alone, and napari takes long to shade one
                if not np.array_equal(layer.data[0], mesh[0]):
                    layer.data = mesh

    def _tell(self, loss: LossView) -> None:
        for row, shares in enumerate(zip(loss.pixels, loss.plain, loss.weighed, strict=True)):
            for column, share in enumerate(shares):
                self.table.setItem(row, column, QTableWidgetItem(f"{share:.0%}"))
        background = f"{loss.plain[0]:.0%} of the plain L1 loss and {loss.weighed[0]:.0%} of the TN loss"
        self.words.setText(f"Background carries {background}. L1 {loss.l1_loss:.4f}, TN {loss.tn_loss:.4f}.")
        for widget in (self.table, self.words, self.landscape):
            widget.show()

    def _show_landscape(self, wanted: bool) -> None:
        """Turn to the two surfaces in 3-D with all else hidden, or back to the view before."""
        if wanted and self._shown is not None and self._target is not None:
            self._taken = Takeover(self._viewer, self._leave_landscape)
            self.held.emit(True)
            self._viewer.dims.events.ndisplay.connect(self._on_turned)
            self._surfaces = [*surfaces(self._shown, self._target)]
            for layer in self._viewer.layers:
                layer.visible = False
            for layer in self._surfaces:
                self._viewer.add_layer(layer)
            self._viewer.dims.ndisplay = 3
            self._viewer.reset_view()
            camera_of(self._viewer).angles = _FROM_THE_SIDE
        else:
            for layer in self._surfaces:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
            self._surfaces = []
            if self._taken is not None:
                self._viewer.dims.events.ndisplay.disconnect(self._on_turned)
                self._taken.give_back()
                self._taken = None
                self.held.emit(False)

    def _on_turned(self, _: Any) -> None:
        """Leave with the user who turns to 2-D, where a landscape shows nothing, as soon as napari has turned."""
        if self._taken is not None and self._viewer.dims.ndisplay == 2:
            self._taken.before = replace(self._taken.before, displays=2)
            QTimer.singleShot(0, self._leave_landscape)

    def _leave_landscape(self) -> None:
        self.landscape.setChecked(False)


def _table() -> QTableWidget:
    table = QTableWidget(len(BAND_NAMES), len(_HEAD))
    for column, (name, told) in enumerate(_HEAD.items()):
        item = QTableWidgetItem(name)
        item.setToolTip(told)
        table.setHorizontalHeaderItem(column, item)
    table.setVerticalHeaderLabels(list(BAND_NAMES))
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    header = table.horizontalHeader()
    assert header is not None
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setSizeAdjustPolicy(QTableWidget.SizeAdjustPolicy.AdjustToContents)
    table.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return table
