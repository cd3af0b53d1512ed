"""The part of the weight widget that shows the loss of a stain before and after weighting."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Layer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.layers import guess_channel_axis, layer_stack, plane_in_view
from napari_mitostain._qt.loss_layers import show_panels, surfaces
from napari_mitostain._qt.plane_layers import Place, PlaneLayers
from napari_mitostain._qt.plane_look import Look, look_at_loss
from napari_mitostain._qt.result_layer import METADATA
from napari_mitostain.errors import ImageError, MitostainError
from napari_mitostain.weighting import BAND_NAMES, LossView

if TYPE_CHECKING:
    from napari.viewer import Viewer

_HEAD = ("pixels", "plain L1", "TN loss")


class LossSection(QWidget):
    """Compares the plane that the weight widget looks at with a stain of the same place.

    Attributes
    ----------
    failed : Signal(Exception)
    """

    failed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._latest = Latest(self)
        self._seen: Look | None = None
        self._target: Image | None = None
        self._loss: LossView | None = None
        self.panels = PlaneLayers(viewer)
        self._surfaces: list[Layer] = []
        self._hidden: list[Layer] = []
        self.stain = ComboBox(choices=self._stains, tooltip="A stain of the same place, or any image of its size.")
        self.button = QPushButton("Show the loss")
        self.landscape = QCheckBox("3-D landscape")
        self.table = _table()
        self.words = QLabel()
        self._lay_out()
        self._connect()

    def reset_choices(self) -> None:
        """Follow the viewer's layers."""
        chosen = self.stain.value
        self.stain.reset_choices()
        if chosen in self.stain.choices:
            self.stain.value = chosen
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
        self._loss, self._seen = None, None

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("stain", self.stain.native)
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
        self.button.clicked.connect(self._ask)
        self.stain.changed.connect(self._on_stain)
        self.landscape.toggled.connect(self._show_landscape)
        self._latest.answered.connect(self._show)
        self._latest.failed.connect(self.failed)

    def _stains(self, _: Any) -> list[tuple[str, Image | None]]:
        """List the images that may be a stain: stains first."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and layer is not self._target]
        stains = [layer for layer in images if _result(layer) == "stain"]
        others = [layer for layer in images if _result(layer) is None]
        return [(layer.name, layer) for layer in (*stains, *others)] or [("no stain is open", None)]

    def _on_stain(self, _: Any = None) -> None:
        if self.panels:
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
        index = plane_in_view(stain, stack.axes, self._viewer.dims.point)
        self._latest.ask(partial(look_at_loss, self._seen, stack, index))

    def _show(self, loss: LossView) -> None:
        seen, target = self._seen, self._target
        if seen is None or target is None or target not in self._viewer.layers:
            return
        self._loss = loss
        show_panels(self.panels, loss, Place(target, seen.request.stack, seen.request.index))
        self._tell(loss)
        if self._surfaces:
            for layer, new in zip(self._surfaces, self._landscape(loss, target), strict=True):
                layer.data = new.data

    def _tell(self, loss: LossView) -> None:
        for row, shares in enumerate(zip(loss.pixels, loss.plain, loss.weighed, strict=True)):
            for column, share in enumerate(shares):
                self.table.setItem(row, column, QTableWidgetItem(f"{share:.0%}"))
        background = f"{loss.plain[0]:.0%} of the plain L1 loss and {loss.weighed[0]:.0%} of the TN loss"
        self.words.setText(f"Background carries {background}. L1 {loss.l1_loss:.4f}, TN {loss.tn_loss:.4f}.")
        for widget in (self.table, self.words, self.landscape):
            widget.show()

    def _show_landscape(self, wanted: bool) -> None:
        """Turn to the two surfaces in 3-D with all else hidden, or back."""
        layers = self._viewer.layers
        if wanted and self._loss is not None and self._target is not None:
            self._hidden = [layer for layer in layers if layer.visible]
            self._surfaces = self._landscape(self._loss, self._target)
            for layer in self._hidden:
                layer.visible = False
            for layer in self._surfaces:
                self._viewer.add_layer(layer)
        else:
            for layer in self._surfaces:
                if layer in layers:
                    layers.remove(layer)
            for layer in self._hidden:
                layer.visible = True
            self._surfaces, self._hidden = [], []
        self._viewer.dims.ndisplay = 3 if self._surfaces else 2
        self._viewer.reset_view()

    def _landscape(self, loss: LossView, target: Image) -> list[Layer]:
        height, width = (abs(float(target.scale[axis])) for axis in (-2, -1))
        return [*surfaces(loss, (height, width))]


def _table() -> QTableWidget:
    table = QTableWidget(len(BAND_NAMES), len(_HEAD))
    table.setHorizontalHeaderLabels(list(_HEAD))
    table.setVerticalHeaderLabels(list(BAND_NAMES))
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    header = table.horizontalHeader()
    assert header is not None
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.setFixedHeight(header.sizeHint().height() + 3 * 30 + 4)
    return table


def _result(layer: Layer) -> Any:
    told = layer.metadata.get(METADATA)
    return told.get("result") if isinstance(told, dict) else None
