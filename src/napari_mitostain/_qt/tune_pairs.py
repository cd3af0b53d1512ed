"""The form of the pairs: two layers of the viewer, or images in folders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mitostain._qt.layer_field import LayerField, looks_fluorescent
from napari_mitostain._qt.path_field import PathField
from napari_mitostain._qt.rows import QuietForm, add_rows, breakable, labelled
from napari_mitostain._qt.tune_request import PairsChoice

if TYPE_CHECKING:
    from napari.viewer import Viewer

_SOURCES = {"layers": "two layers", "folder": "a folder", "two": "two folders"}


class PairsForm(QuietForm):
    """Edits a `PairsChoice`.

    Parameters
    ----------
    viewer : Viewer

    Attributes
    ----------
    valueChanged : Signal(PairsChoice)
        Also when a chosen layer shows something else than before.
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._shifts: dict[str, tuple[int, int]] = {}
        self.source = QComboBox()
        for name, title in _SOURCES.items():
            self.source.addItem(title, name)
        self.source.setToolTip("Where brightfield and fluorescence of the same places are.")
        self.folder = PathField("Choose the folder that holds brightfield/ and mitochondria/", "choose…")
        self.folders = {
            part: PathField(f"Choose the folder of {part}", "choose…") for part in ("brightfield", "mitochondria")
        }
        self.channels = {part: _channel_box(part) for part in self.folders}
        self.skip = QCheckBox("leave out what cannot be used")
        self.skip.setToolTip(
            "Train on the others: images that cannot be read, without a partner, or of another size are left out."
        )
        self.shifted = QLabel()
        self.unshift = QPushButton("Undo the shift")
        self._lay_out(viewer)
        self._connect()
        self._guess()
        self._adapt()

    def value(self) -> PairsChoice:
        """Return what the form says."""
        return PairsChoice(
            source=self.source.currentData(),
            brightfield=self.layers["brightfield"].value(),
            mitochondria=self.layers["mitochondria"].value(),
            folder=self.folder.value(),
            brightfield_folder=self.folders["brightfield"].value(),
            mitochondria_folder=self.folders["mitochondria"].value(),
            brightfield_channel=_channel_of(self.channels["brightfield"]),
            mitochondria_channel=_channel_of(self.channels["mitochondria"]),
            shifts=dict(self._shifts),
            skip_unreadable=self.skip.isChecked(),
        )

    def setValue(self, choice: PairsChoice) -> None:  # noqa: N802
        """Show a choice; its layers must be there."""
        with self._silent():
            self.source.setCurrentIndex(self.source.findData(choice.source))
            self.folder.setValue(choice.folder)
            for part, field in self.folders.items():
                self.layers[part].setValue(getattr(choice, part))
                field.setValue(getattr(choice, f"{part}_folder"))
                channel = getattr(choice, f"{part}_channel")
                self.channels[part].setValue(-1 if channel is None else channel)
            self.skip.setChecked(choice.skip_unreadable)
            self._shifts = dict(choice.shifts)
            self._adapt()
        self._tell()

    def shift(self, acquisition: str, by: tuple[int, int]) -> None:
        """Move the fluorescence of an acquisition, beside what it has been moved by."""
        before = self._shifts.get(acquisition, (0, 0))
        after = (before[0] + by[0], before[1] + by[1])
        self.setValue(replace(self.value(), shifts=self._shifts | {acquisition: after}))

    def reset_choices(self) -> None:
        """Follow the viewer's layers."""
        for field in self.layers.values():
            field.reset_choices()
        if self.layers["brightfield"].value() == self.layers["mitochondria"].value():
            self._guess()  # images have come, and nothing that makes sense was chosen

    def _lay_out(self, viewer: Viewer) -> None:
        self._rows = labelled({"pairs from": self.source})
        self.layers = {part: LayerField(viewer, self._rows, part, part) for part in self.folders}
        add_rows(self._rows, {"folder": self.folder, **self.folders})
        both, boxes = QWidget(), QHBoxLayout()
        both.setLayout(boxes)
        boxes.setContentsMargins(0, 0, 0, 0)
        for box in self.channels.values():
            boxes.addWidget(box)
        self._rows.addRow("channels", both)
        self._both = both
        self.shifted.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._rows)
        for widget in (self.skip, self.shifted, self.unshift):
            layout.addWidget(widget)

    def _connect(self) -> None:
        self.source.currentIndexChanged.connect(self._adapt)
        for signal in (self.source.currentIndexChanged, *(field.valueChanged for field in self.layers.values())):
            signal.connect(self._choose_others)
        for field in (self.folder, *self.folders.values()):
            field.valueChanged.connect(self._choose_others)
        for box in self.channels.values():
            box.valueChanged.connect(self._choose_others)
        self.skip.toggled.connect(self._tell)
        self.unshift.clicked.connect(self._choose_others)

    def _guess(self) -> None:
        """Choose the layers by their names, else two that differ, else two channels of one."""
        brightfield, mitochondria = self.layers["brightfield"], self.layers["mitochondria"]
        mitochondria.first_that(looks_fluorescent)
        brightfield.first_that(lambda name: not looks_fluorescent(name))
        if (chosen := brightfield.layer.value) is not None and chosen is mitochondria.layer.value:
            mitochondria.first_that(lambda name: name != chosen.name)
        if brightfield.value() == (same := mitochondria.value()) and same.channel_axis is not None:
            mitochondria.setValue(replace(same, channel=min(1, int(mitochondria.channel.max))))

    def _choose_others(self, *_: Any) -> None:
        """Forget the shifts: they are those of other pairs."""
        if not self._quiet:
            self._shifts = {}
            self._adapt()
            self._tell()

    def _adapt(self, *_: Any) -> None:
        """Show the rows of the chosen source, and by how much the fluorescence is moved."""
        source = self.source.currentData()
        for layer_field in self.layers.values():
            layer_field.show_rows(source == "layers")
        self._rows.setRowVisible(self.folder, source == "folder")
        for field in self.folders.values():
            self._rows.setRowVisible(field, source == "two")
        self._rows.setRowVisible(self._both, source != "layers")
        self.skip.setVisible(source != "layers")
        moved = [f"{name} by ({rows}, {columns})" for name, (rows, columns) in self._shifts.items()]
        self.shifted.setText(breakable(f"Fluorescence is moved: {', '.join(moved)} pixels."))
        for widget in (self.shifted, self.unshift):
            widget.setVisible(bool(moved))

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self.valueChanged.emit(self.value())


def _channel_box(part: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(-1, 99)
    box.setSpecialValueText("first")
    box.setValue(-1)
    box.setKeyboardTracking(False)
    box.setToolTip(f"Position of {part} on the channel axis of its images, from 0; of no matter where they have none.")
    return box


def _channel_of(box: QSpinBox) -> int | None:
    return None if box.value() < 0 else box.value()
