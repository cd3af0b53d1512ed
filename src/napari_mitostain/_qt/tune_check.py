"""What the check has found out about the pairs, one sentence each, with what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QStyle, QVBoxLayout, QWidget

from napari_mitostain._qt.rows import breakable
from napari_mitostain.events import Finding, Severity

_SHOWN = 12
"""Findings that are shown one by one; hundreds of damaged files would fill the dock for nothing."""

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
_ICONS: dict[Severity, tuple[QStyle.StandardPixmap, str]] = {
    "error": (QStyle.StandardPixmap.SP_MessageBoxCritical, "Error: a run does not start."),
    "warning": (QStyle.StandardPixmap.SP_MessageBoxWarning, "Warning"),
    "note": (QStyle.StandardPixmap.SP_MessageBoxInformation, "Note"),
}

_ICON_PX = 16


class CheckView(QWidget):
    """Shows how far the check is, its findings, the worst first, and how the pairs are split.

    Attributes
    ----------
    shiftAsked : Signal(str, tuple)
        The user wants the fluorescence of an acquisition moved by (rows, columns).
    """

    shiftAsked = Signal(str, tuple)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setMaximum(1000)
        self.bar.setFormat("checking the pairs: %p %")
        self.words = QLabel()
        self.rows: list[FindingRow] = []
        self._findings: list[Finding] = []
        self._content = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addLayout(self._content)
        layout.addWidget(self.words)
        self.words.setWordWrap(True)
        self.clear()

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep a run from starting."""
        return [finding for finding in self._findings if finding.severity == "error"]

    def clear(self) -> None:
        """Show nothing."""
        self._findings = []
        self._show_findings()
        self.say("")
        self.bar.hide()

    def progress(self, fraction: float) -> None:
        """Show that the check runs, and how far it is."""
        self.bar.setValue(round(1000 * fraction))
        self.bar.show()

    def add(self, findings: Sequence[Finding]) -> None:
        """Show more findings."""
        self._findings += findings
        self._show_findings()

    def finish(self, sentence: str) -> None:
        """Show that the check is over; the sentence says how the pairs are split."""
        self.bar.hide()
        self.say(sentence)

    def say(self, words: str) -> None:
        """Show a sentence below the findings."""
        self.words.setText(breakable(words))
        self.words.setVisible(bool(words))

    def _show_findings(self) -> None:
        for row in self.rows:
            self._content.removeWidget(row)
            row.hide()
            row.deleteLater()
        found = sorted(self._findings, key=lambda finding: _ORDER[finding.severity])
        if len(found) > _SHOWN:
            hidden = len(found) - _SHOWN
            found = [*found[:_SHOWN], Finding(severity="note", message=f"{hidden} more findings like these.")]
        self.rows = [FindingRow(finding) for finding in found]
        for row in self.rows:
            row.shiftAsked.connect(self.shiftAsked)
            self._content.addWidget(row)


class FindingRow(QWidget):
    """One finding: an icon, its sentence, and for a misalignment what it looks like and a button."""

    shiftAsked = Signal(str, tuple)  # noqa: N815

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding
        self.icon = _icon(finding.severity)
        self.label = QLabel(breakable(finding.message))
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setWordWrap(True)
        self.picture = Picture(finding.picture) if finding.picture is not None else None
        self.button: QPushButton | None = None
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(1, 1)
        layout.addWidget(self.icon, 0, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.label, 0, 1)
        if self.picture is not None:
            self.picture.setToolTip("Left: as it is. Right: after the shift. Green: fluorescence.")
            layout.addWidget(self.picture, 1, 0, 1, 2)
        if finding.shift is not None and finding.acquisition:
            rows, columns = finding.shift
            self.button = QPushButton(f"Shift by ({rows}, {columns})")
            self.button.setToolTip("Move the fluorescence by so many rows and columns, and check again.")
            self.button.clicked.connect(lambda: self.shiftAsked.emit(finding.acquisition, finding.shift))
            layout.addWidget(self.button, 2, 0, 1, 2)


class Picture(QLabel):
    """A colour image that fills the width it is given, up to its own.

    Parameters
    ----------
    image : ndarray of uint8
        (Y, X, 3).
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        super().__init__()
        height, width, _ = image.shape
        self._whole = QPixmap.fromImage(
            QImage(image.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        )
        self.setMinimumWidth(50)
        self._fit(240)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Follow the width of the dock."""
        super().resizeEvent(event)
        self._fit(self.width())

    def _fit(self, width: int) -> None:
        fitting = min(width, self._whole.width())
        scaled = self._whole.scaledToWidth(max(1, fitting), Qt.TransformationMode.SmoothTransformation)
        self.setPixmap(scaled)
        self.setFixedHeight(scaled.height())


def _icon(severity: Severity) -> QLabel:
    icon, (standard, told) = QLabel(), _ICONS[severity]
    style = icon.style()
    if style is not None:
        icon.setPixmap(style.standardIcon(standard).pixmap(_ICON_PX, _ICON_PX))
    icon.setToolTip(told)
    return icon
