"""The field in which the user chooses a folder or, where that makes sense, an image."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class PathField(QWidget):
    """Edits a path, typed or chosen in a dialog.

    Parameters
    ----------
    title : str
        Of the dialog.
    empty : str
        Shown while there is no path: what then holds.

    Attributes
    ----------
    valueChanged : Signal(str)
        Once the path is complete, not with every letter.
    """

    valueChanged = Signal(str)  # noqa: N815

    def __init__(self, title: str, empty: str = "") -> None:
        super().__init__()
        self._title, self._told = title, ""
        self.line = QLineEdit()
        self.line.setPlaceholderText(empty)
        self.button = QPushButton("…")
        self.button.setFixedWidth(self.line.sizeHint().height())
        self.button.setToolTip(title)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, stretch=1)
        layout.addWidget(self.button)
        self.line.editingFinished.connect(self._tell)
        self.button.clicked.connect(self._open)

    def value(self) -> str:
        """Return the path, "" if there is none."""
        return self.line.text().strip()

    def setValue(self, path: str) -> None:  # noqa: N802
        """Show a path."""
        self.line.setText(path)
        self.line.setToolTip(path)  # the field is narrow
        self._tell()

    def _open(self) -> None:
        begin = self.value() or str(Path.home())
        if path := QFileDialog.getExistingDirectory(self, self._title, begin):
            self.setValue(path)

    def _tell(self) -> None:
        if self.value() != self._told:
            self._told = self.value()
            self.line.setToolTip(self._told)
            self.valueChanged.emit(self._told)
