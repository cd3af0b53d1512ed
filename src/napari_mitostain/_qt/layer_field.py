"""The rows in which the user chooses a layer and, where it has several, one of its channels."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, SpinBox
from napari.layers import Image
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout

from napari_mitostain._qt.layers import channel_axes, channel_count, guess_channel_axis
from napari_mitostain._qt.result_layer import image_choices
from napari_mitostain._qt.rows import Quiet, add_rows, reset_kept
from napari_mitostain._qt.tune_request import LayerChoice

if TYPE_CHECKING:
    from napari.viewer import Viewer

_NO_AXIS = -1

_FLUORESCENT = re.compile(r"mito|fluo|gfp|tmrm|tom20|cy3|cy5|omp25|target|truth", re.IGNORECASE)
"""What the name of a fluorescence layer is likely to hold."""


def looks_fluorescent(name: str) -> bool:
    """Whether a layer of this name is likely to show fluorescence, and not brightfield."""
    return bool(_FLUORESCENT.search(name))


class LayerField(Quiet, QObject):
    """Edits a `LayerChoice`; its rows stand in the form of whoever uses it.

    Parameters
    ----------
    viewer : Viewer
    rows : QFormLayout
        That the rows are added to.
    label : str
        Of its row.
    shows : str
        What the layer shows, such as "brightfield".

    Attributes
    ----------
    valueChanged : Signal(LayerChoice)
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self, viewer: Viewer, rows: QFormLayout, label: str, shows: str) -> None:
        super().__init__(rows)
        self._viewer, self._rows = viewer, rows
        self._followed: Image | None = None
        self.layer = ComboBox(choices=self._images, tooltip=f"The layer that shows {shows}.")
        self.axis = ComboBox(choices=self._axes, tooltip="The axis of the image that holds channels, if one does.")
        self.channel = SpinBox(tooltip=f"Position of {shows} on the channel axis, from 0.")
        self._is_shown = True
        fields = {label: self.layer, "channel axis": self.axis, "channel": self.channel}
        add_rows(rows, {name: field.native for name, field in fields.items()})
        self._adapt()
        self.layer.changed.connect(self._adapt)
        self.axis.changed.connect(self._bound_channel)
        for field in (self.layer, self.axis, self.channel):
            field.changed.connect(self._tell)

    def value(self) -> LayerChoice:
        """Return what the rows say."""
        axis = self.axis.value
        return LayerChoice(
            layer=self.layer.value,
            channel_axis=None if axis in (None, _NO_AXIS) else axis,
            channel=self.channel.value if self._has_channels() else 0,
        )

    def setValue(self, choice: LayerChoice) -> None:  # noqa: N802
        """Show a choice; its layer must be there, without one the chosen layer stays."""
        with self._silent():
            if choice.layer is not None:
                self.layer.value = choice.layer
            self._adapt()
            self.axis.value = _NO_AXIS if choice.channel_axis is None else choice.channel_axis
            self._bound_channel()
            self.channel.value = choice.channel
        self._tell()

    def reset_choices(self) -> None:
        """Follow the viewer's layers."""
        before = self.value()
        with self._silent():
            reset_kept(self.layer)
            self._adapt()
        if self.value() != before:
            self._tell()

    def show_rows(self, shown: bool) -> None:
        """Show the rows that apply, or none."""
        self._is_shown = shown
        self._show_rows()

    def first_that(self, suits: Callable[[str], bool]) -> None:
        """Choose the first layer whose name suits, if there is one."""
        for layer in self.layer.choices:
            if layer is not None and suits(layer.name):
                self.layer.value = layer
                return

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self.valueChanged.emit(self.value())

    def _images(self, _: Any) -> list[tuple[str, Image | None]]:
        return image_choices(self._viewer)

    def _axes(self, _: Any) -> list[tuple[str, int]]:
        return [("none", _NO_AXIS), *(channel_axes(layer) if (layer := self.layer.value) is not None else [])]

    def _adapt(self, *_: Any) -> None:
        """Fit the rows to the layer."""
        layer: Image | None = self.layer.value
        if not (reset_kept(self.axis) and layer is self._followed):
            guess = guess_channel_axis(layer) if layer is not None else None
            self.axis.value = _NO_AXIS if guess is None else guess
        self._follow(layer)
        self._bound_channel()

    def _bound_channel(self, *_: Any) -> None:
        if self._has_channels():
            self.channel.max = channel_count(self.layer.value, self.axis.value) - 1
        self._show_rows()

    def _show_rows(self) -> None:
        layer = self.layer.value
        has_planes = layer is not None and layer.ndim > 2
        for field, applies in ((self.layer, True), (self.axis, has_planes), (self.channel, self._has_channels())):
            self._rows.setRowVisible(field.native, self._is_shown and applies)

    def _has_channels(self) -> bool:
        return self.layer.value is not None and self.axis.value not in (None, _NO_AXIS)

    def _follow(self, layer: Image | None) -> None:
        """Listen to the chosen layer, and no longer to the one before: what it shows has to be checked anew."""
        if layer is self._followed:
            return
        for event, slot in {
            "data": self._renew,
            "axis_labels": self._renew,
            "scale": self._tell,
            "units": self._tell,
        }.items():
            if self._followed is not None:
                self._followed.events[event].disconnect(slot)
            if layer is not None:
                layer.events[event].connect(slot)
        self._followed = layer

    def _renew(self, *_: Any) -> None:
        with self._silent():
            self.reset_choices()
        self._tell()
