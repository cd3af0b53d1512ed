"""The field in which the user chooses the coefficients of the TN loss."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import MitostainError
from napari_mitostain.weighing import read_weighting

_PAPERS = WeightSettings(scope="patch")


class WeightsField(QWidget):
    """Edits the coefficients of the TN loss: those of the paper, or of a file.

    Attributes
    ----------
    valueChanged : Signal(WeightSettings)
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._value = _PAPERS
        self.load, self.reset = QPushButton("Load…"), QPushButton("Paper's")
        self.load.clicked.connect(self._load)
        self.reset.clicked.connect(lambda: self.setValue(_PAPERS))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in (self.load, self.reset):
            layout.addWidget(button)
        self.setValue(_PAPERS)

    def value(self) -> WeightSettings:
        """Return the coefficients."""
        return self._value

    def setValue(self, weighting: WeightSettings) -> None:  # noqa: N802
        """Take coefficients."""
        changed = weighting != self._value
        self._value = weighting
        self.reset.setEnabled(weighting != _PAPERS)
        if changed:
            self.valueChanged.emit(weighting)

    def _load(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Load coefficients", "", "JSON (*.json)")
        if name:
            try:
                self.setValue(read_weighting(Path(name)))
            except MitostainError as error:
                show_error(str(error))
