"""The form of the stain widget: an editor of one typed value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, SpinBox, Widget
from napari.layers import Image
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QSpinBox, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mitostain._qt.device_field import DeviceField
from napari_mitostain._qt.layers import channel_axes, channel_count, guess_channel_axis
from napari_mitostain._qt.model_field import ModelField
from napari_mitostain._qt.result_layer import image_choices
from napari_mitostain._qt.rows import QuietForm, labelled, reset_kept
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain.config import Device, StainSettings

if TYPE_CHECKING:
    from napari.viewer import Viewer

_NO_AXIS = -1


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
        self._followed: Image | None = None
        self._layer = ComboBox(choices=self._images, tooltip="Brightfield to stain.")
        self._axis = ComboBox(choices=self._axes, tooltip="The axis of the image that holds channels, if one does.")
        self._channel = SpinBox(tooltip="Position of brightfield on the channel axis, from 0.")
        self._planes = ComboBox(choices=[("whole stack", "stack"), ("current plane", "view")])
        self._repeat = ComboBox(choices=[("replaces stain", "replace"), ("adds another", "add")])
        self._model = ModelField()
        self._device = DeviceField()
        self._tile = QSpinBox()
        self._tile.setMaximum(16384)
        self._tile.setSingleStep(64)
        self._tile.setSpecialValueText("automatic")
        self._tile.setToolTip("In pixels; small tiles take less memory. The stain is the same.")
        self._precision = ComboBox(choices=["auto", "float32", "bfloat16"])
        self._pixels = QLabel()
        self._resample = CheckBox(text="Resample on the fly", tooltip="Stain at the model's pixel size.")
        self._lay_out()
        self._choose_active()
        self._adapt()
        self._connect()

    def value(self) -> StainRequest:
        """Return what the form says."""
        axis = self._axis.value
        return StainRequest(
            layer=self._layer.value,
            channel_axis=None if axis in (None, _NO_AXIS) else axis,
            channel=self._channel.value if self._has_channels() else 0,
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
            self._layer.value = request.layer
            self._adapt()
            self._axis.value = _NO_AXIS if request.channel_axis is None else request.channel_axis
            self._bound_channel()
            self._channel.value, self._planes.value, self._repeat.value = (
                request.channel,
                request.planes,
                request.repeat,
            )
            self._device.ask(settings.device)
            self._precision.value = settings.precision
            self._resample.value = settings.resample
            self._tile.setValue(settings.tile or 0)
        self._tell()

    def reset_choices(self, *_: Any) -> None:
        """Follow the viewer's layers (napari calls this when they change), and the models."""
        before = self.value()
        with self._silent():
            reset_kept(self._layer)  # a renamed layer is the same layer
            self._model.reset_choices()
            self._adapt()
        if self.value() != before:
            self._tell()

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
            "image": self._layer.native,
            "channel axis": self._axis.native,
            "channel": self._channel.native,
            "planes": self._planes.native,
            "run again": self._repeat.native,
            "model": self._model,
            "device": self._device.native,
        }
        self._rows = labelled(rows)
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
        self._layer.changed.connect(self._adapt)
        self._axis.changed.connect(self._bound_channel)
        fields = (self._layer, self._axis, self._planes, self._repeat, self._device, self._precision)
        for field in (*fields, self._channel, self._resample):
            field.changed.connect(self._tell)
        self._tile.valueChanged.connect(self._tell)
        self._model.valueChanged.connect(self._tell)

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self.valueChanged.emit(self.value())

    def _show_row(self, field: Widget, visible: bool) -> None:
        field.native.setVisible(visible)
        if (label := self._rows.labelForField(field.native)) is not None:
            label.setVisible(visible)

    def _images(self, _: Any) -> list[tuple[str, Image | None]]:
        return image_choices(self._viewer)

    def _axes(self, _: Any) -> list[tuple[str, int]]:
        return [("none", _NO_AXIS), *(channel_axes(layer) if (layer := self._layer.value) is not None else [])]

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        for layer in self._layer.choices:
            if layer is not None and layer == active:
                self._layer.value = layer

    def _adapt(self) -> None:
        """Fit the rows to the layer: its channel axis, and whether there is more than one plane."""
        layer: Image | None = self._layer.value
        if not (reset_kept(self._axis) and layer is self._followed):
            guess = guess_channel_axis(layer) if layer is not None else None
            self._axis.value = _NO_AXIS if guess is None else guess
        self._follow(layer)
        has_planes = layer is not None and layer.ndim > 2
        self._show_row(self._axis, has_planes)
        self._show_row(self._planes, has_planes)
        self._bound_channel()

    def _follow(self, layer: Image | None) -> None:
        """Listen to the chosen layer, and no longer to the one before."""
        if layer is self._followed:
            return
        slots = {
            "scale": self._tell,
            "units": self._tell,
            "data": self._renew,
            "axis_labels": self._renew,
        }
        for event, slot in slots.items():
            if self._followed is not None:
                self._followed.events[event].disconnect(slot)
            if layer is not None:
                layer.events[event].connect(slot)
        self._followed = layer

    def _renew(self, *_: Any) -> None:
        """Follow the chosen layer; what it is now may matter where the request stays the same."""
        with self._silent():
            self.reset_choices()
        self._tell()

    def _bound_channel(self) -> None:
        self._show_row(self._channel, self._has_channels())
        if self._has_channels():
            self._channel.max = channel_count(self._layer.value, self._axis.value) - 1

    def _has_channels(self) -> bool:
        return self._layer.value is not None and self._axis.value not in (None, _NO_AXIS)
