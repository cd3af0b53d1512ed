"""The form of the stain widget: an editor of one typed value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mitostain._qt.device_field import DeviceField
from napari_mitostain._qt.layer_field import LayerField, looks_fluorescent
from napari_mitostain._qt.model_field import ModelField
from napari_mitostain._qt.rows import QuietForm, add_rows, labelled
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain._qt.tune_request import LayerChoice
from napari_mitostain.config import Device, StainPrecision, StainSettings

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


class StainForm(QuietForm):
    """Edits a `StainRequest`; rows that do not apply to the layer are hidden.

    Attributes
    ----------
    valueChanged : Signal(StainRequest)
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._rows = labelled({})
        self._source = LayerField(viewer, self._rows, "image", "brightfield")
        self._layer, self._axis, self._channel = self._source.layer, self._source.axis, self._source.channel
        self._planes = ComboBox(choices=[("whole stack", "stack"), ("current plane", "view")])
        self._repeat = ComboBox(choices=[("replaces stain", "replace"), ("adds another", "add")])
        self._model = ModelField()
        self._device = DeviceField()
        self._tile = QSpinBox()
        self._tile.setMaximum(16384)
        self._tile.setSingleStep(64)
        self._tile.setSpecialValueText("automatic")
        self._tile.setToolTip("In pixels; small tiles take less memory. The stain is the same.")
        self._precision = ComboBox(choices=get_args(StainPrecision))
        self._pixels = QLabel()
        self._resample = CheckBox(text="Resample on the fly", tooltip="Stain at the model's pixel size.")
        self._is_kept = False
        self._lay_out()
        self._choose_active()
        self._adapt()
        self._connect()

    def value(self) -> StainRequest:
        """Return what the form says."""
        source = self._source.value()
        return StainRequest(
            layer=source.layer,
            channel_axis=source.channel_axis,
            channel=source.channel,
            model=self._model.value(),
            planes=self._planes.value,
            repeat=self._repeat.value,
            settings=StainSettings(
                device=self._device.value,
                precision=self._precision.value,
                tile=self._tile.value() or None,
                resample=self._resample.value and not self._resample.native.isHidden(),
            ),
        )

    def setValue(self, request: StainRequest) -> None:  # noqa: N802
        """Show a request; the layer must be there, and so must the model, by its name or as a file.

        Resampling is remembered, and holds where it is offered.

        Raises
        ------
        ModelError
            If there is no such model; nothing was changed then.
        """
        settings = request.settings
        with self._silent():
            self._model.setValue(request.model)
            self._is_kept = self._is_kept or request.layer is not None
            self._source.setValue(LayerChoice(request.layer, request.channel_axis, request.channel))
            self._planes.value, self._repeat.value = request.planes, request.repeat
            self._device.ask(settings.device)
            self._precision.value = settings.precision
            self._resample.value = settings.resample
            self._tile.setValue(settings.tile or 0)
        self._tell()

    def reset_choices(self, *_: Any) -> None:
        """Follow the viewer's layers (napari calls this when they change), and the models."""
        before = self.value()
        with self._silent():
            self._source.reset_choices()
            self._choose_anew(before.layer)
            self._model.reset_choices()
            self._adapt()
        if self.value() != before:
            self._tell()

    def keep_layer(self, *_: Any) -> None:
        """Take the chosen layer for the user's own choice, which no layer that comes later changes."""
        self._is_kept = True

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the devices of this machine, best first. They come from a job: torch knows them, and loads slowly."""
        self._device.show_devices(devices)

    def show_pixel_note(self, note: str, offer_resampling: bool) -> None:
        """Say something about the pixel size, or nothing, and offer to resample, or not."""
        before = self.value()
        self._pixels.setText(note)
        self._pixels.setVisible(bool(note))
        self._resample.native.setVisible(offer_resampling)
        if self.value() != before:  # a tick holds only where it is offered
            self._tell()

    def _lay_out(self) -> None:
        rows = {
            "planes": self._planes.native,
            "run again": self._repeat.native,
            "model": self._model,
            "device": self._device.native,
        }
        add_rows(self._rows, rows)
        advanced = QCollapsible("Advanced", expandedIcon="▾", collapsedIcon="▸")
        content = QWidget()
        content.setLayout(labelled({"tile size": self._tile, "precision": self._precision.native}))
        advanced.addWidget(content)
        self._pixels.setWordWrap(True)
        self.show_pixel_note("", False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._rows)
        for widget in (self._pixels, self._resample.native, advanced):
            layout.addWidget(widget)

    def _connect(self) -> None:
        self._layer.native.activated.connect(self.keep_layer)  # by hand
        self._source.valueChanged.connect(self._adapt)
        for field in (self._planes, self._repeat, self._device, self._precision, self._resample):
            field.changed.connect(self._tell)
        self._source.valueChanged.connect(self._tell)
        self._tile.valueChanged.connect(self._tell)
        self._model.valueChanged.connect(self._tell)

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self.valueChanged.emit(self.value())

    def _choose_active(self) -> None:
        """Choose the layer that the user works on, unless it is more likely fluorescence than some other."""
        active = self._viewer.layers.selection.active
        if active is None or active not in self._layer.choices or looks_fluorescent(active.name):
            self._source.first_that(lambda name: not looks_fluorescent(name))
        else:
            self._layer.value = active

    def _choose_anew(self, before: Image | None) -> None:
        """Give up a layer that is more likely fluorescence, and came first, for one that has come now."""
        self._is_kept = self._is_kept and self._layer.value is before
        if not self._is_kept and self._layer.value is not None and looks_fluorescent(self._layer.value.name):
            self._choose_active()

    def _adapt(self, *_: Any) -> None:
        """Offer to stain one plane only where there are several."""
        layer = self._layer.value
        self._rows.setRowVisible(self._planes.native, layer is not None and layer.ndim > 2)
