"""The dock widget "TN weight map": what the loss looks at in a fluorescence layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
)
from superqt import QCollapsible

from napari_mitostain._qt.docked import Docked
from napari_mitostain._qt.loss_section import LossSection
from napari_mitostain._qt.plane_look import Look
from napari_mitostain._qt.result_layer import image_choices
from napari_mitostain._qt.rows import Column, narrowed, renew_choices
from napari_mitostain._qt.weights_form import SCOPES, WeightsForm
from napari_mitostain._qt.weights_overlay import WeightsOverlay
from napari_mitostain._qt.weights_plot import WeightsPlot
from napari_mitostain.config import Scope
from napari_mitostain.errors import MitostainError
from napari_mitostain.weighing import read_weighting, write_weighting

if TYPE_CHECKING:
    import napari.viewer


class WeightsWidget(Docked):
    """Shows the TN weights of a viewer's fluorescence layers, and lets the user change them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._overlay = WeightsOverlay(viewer, self)
        self.layer = ComboBox(choices=self._images, tooltip="Fluorescence to weigh.")
        self.form = WeightsForm()
        self.patch = QSpinBox()
        self.plot = WeightsPlot()
        self.shown = {"weights": QCheckBox("weights"), "contours": QCheckBox("thresholds")}
        self.words = QLabel()
        self.loss = LossSection(viewer)
        self._lay_out()
        self._connect()
        self._choose_active()
        self._apply()
        self._follow()

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be weighed."""
        return self._overlay.is_busy

    def _follow_layers(self) -> None:
        if renew_choices(self.layer):
            QTimer.singleShot(0, self._follow)  # when napari has taken out all that is on its way out
        self.loss.reset_choices()

    def _leave(self) -> None:
        self.loss.close_layers()
        self._overlay.close()

    def _lay_out(self) -> None:
        self.patch.setRange(16, 4096)
        self.patch.setValue(256)
        self.patch.setSuffix(" px")
        self.patch.setToolTip("Side of a patch: each is weighed by itself, as in training.")
        for box in self.shown.values():
            box.setChecked(True)
        self._rows = QFormLayout()
        self._rows.addRow("image", narrowed(self.layer.native))
        self._rows.addRow("patch size", self.patch)
        show = QHBoxLayout()
        for widget in (QLabel("show"), *self.shown.values()):
            show.addWidget(widget)
        show.addStretch()
        self.words.setWordWrap(True)
        loss = QCollapsible("Loss of a stain", expandedIcon="▾", collapsedIcon="▸")
        loss.addWidget(self.loss)
        inner = QVBoxLayout()
        inner.addLayout(self._rows)
        inner.addLayout(show)
        for widget in (self.plot, self.words, self.form, loss):
            inner.addWidget(widget)
        inner.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Column(inner))

    def _connect(self) -> None:
        self.layer.changed.connect(self._follow)
        self.form.valueChanged.connect(self._apply)
        self.patch.valueChanged.connect(self._apply)
        for box in self.shown.values():
            box.toggled.connect(self._apply)
        self.plot.dragged.connect(self.form.set_sigmas)
        self.form.load.clicked.connect(self._load)
        self.form.save.clicked.connect(self._save)
        self._overlay.looked.connect(self._show)
        for part in (self._overlay, self.loss):
            part.failed.connect(_report)
        self._overlay.refused.connect(self._show_nothing)
        self.loss.held.connect(self._overlay.hold)
        self._overlay.unmeasured.connect(self._leave_stack)
        self._overlay.removed.connect(lambda kind: self.shown[kind].setChecked(False))

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active

    def _follow(self, *_: Any) -> None:
        if self._is_closed:  # meanwhile
            return
        self._show_nothing()
        self._overlay.follow(self.layer.value)

    def _show_nothing(self, reason: Exception | str = "") -> None:
        """Show no numbers until there are some, and say why."""
        self.loss.close_layers()
        self.plot.hide()
        self.words.setText(str(reason))

    def _apply(self, *_: Any) -> None:
        """Weigh as the form says."""
        is_patch = self.form.value().scope == "patch"
        self._rows.setRowVisible(self.patch, is_patch)
        shown = frozenset(kind for kind, box in self.shown.items() if box.isChecked())
        self._overlay.choose(self.form.value(), self.patch.value(), shown)

    def _leave_stack(self, scope: Scope) -> None:
        """Have the form say what the map shows once the stack is not measured."""
        self.form.setValue(replace(self.form.value(), scope=scope))
        show_info(f"The whole stack was not measured; mean and standard deviation are again of {SCOPES[scope]}.")

    def _show(self, seen: Look) -> None:
        view, settings = seen.view, seen.request.settings
        self.plot.show_plane(seen.prepared.histogram, view.measured, view.bands, settings)
        self.plot.setVisible(view.measured.count > 0)
        self.words.setText(_summary(seen))
        if self.layer.value is not None:
            self.loss.look(seen, self.layer.value)

    def _images(self, _: Any) -> list[tuple[str, Image | None]]:
        return image_choices(self._viewer)

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the coefficients", "weighting.json", "JSON (*.json)")
        if name:
            try:
                write_weighting(Path(name), self.form.value())
                show_info(f"Saved the coefficients to {name}.")
            except MitostainError as error:
                show_error(str(error))

    def _load(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Load coefficients", "", "JSON (*.json)")
        if name:
            try:
                self.form.setValue(read_weighting(Path(name)))
            except MitostainError as error:
                show_error(str(error))


def _summary(seen: Look) -> str:
    """Say in numbers what is shown of a plane."""
    view, asked = seen.view, seen.request
    if not view.measured.count:
        return "No pixel here is finite: all weights are 0."
    _, first, second, _ = view.bands.edges
    patch = f"Patch in row {1 + asked.at[0] // asked.patch}, column {1 + asked.at[1] // asked.patch}: "
    return (
        f"{patch if asked.settings.scope == 'patch' else ''}µ {view.measured.mean:.4g}, σ {view.measured.std:.4g}; "
        f"thresholds {first:.4g} and {second:.4g}. "
        f"Background: {view.pixels[0]:.0%} of the pixels, {view.weight[0]:.0%} of the weight."
    )


def _report(error: Exception) -> None:
    show_error(str(error) if isinstance(error, MitostainError) else f"{type(error).__name__}: {error}")
