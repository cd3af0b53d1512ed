"""The field in which the user says how long a run is: so many epochs, or so many minutes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout

from napari_mitostain._qt.rows import QuietForm
from napari_mitostain.config import TrainSettings

_UNITS = ("epochs", "minutes")
_FIRST = {"epochs": 100.0, "minutes": 10.0}


class LengthField(QuietForm):
    """Edits the length in a `TrainSettings`; each unit keeps its number while the other is shown.

    Attributes
    ----------
    valueChanged : Signal()
    """

    valueChanged = Signal()  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._numbers = dict(_FIRST)
        self.number, self.unit = QDoubleSpinBox(), QComboBox()
        self.number.setRange(1, 1e6)
        self.number.setKeyboardTracking(False)
        self.unit.addItems(_UNITS)
        self.unit.setToolTip("An epoch is a pass over the patches; minutes are those of training itself.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number, stretch=1)
        layout.addWidget(self.unit)
        self._switch()
        self.unit.currentTextChanged.connect(self._switch)
        self.number.valueChanged.connect(self._note)

    def in_settings(self, settings: TrainSettings) -> TrainSettings:
        """Return settings of the length that is shown."""
        number = self.number.value()
        if self.unit.currentText() == "epochs":
            return replace(settings, epochs=round(number), minutes=None)
        return replace(settings, epochs=None, minutes=number)

    def setValue(self, settings: TrainSettings) -> None:  # noqa: N802
        """Show the length of settings."""
        unit = "epochs" if settings.epochs is not None else "minutes"
        with self._silent():
            self._numbers[unit] = float(getattr(settings, unit))
            self.unit.setCurrentText(unit)
            self._switch()
        self._tell()

    def _switch(self, *_: Any) -> None:
        unit = self.unit.currentText()
        number = self._numbers[unit]
        with self._silent():
            self.number.setDecimals(0 if unit == "epochs" else 2)
            self.number.setMinimum(1 if unit == "epochs" else 0.01)
            self.number.setValue(number)
        self._tell()

    def _note(self, number: float) -> None:
        if not self._quiet:
            self._numbers[self.unit.currentText()] = number
            self._tell()

    def _tell(self) -> None:
        if not self._quiet:
            self.valueChanged.emit()
