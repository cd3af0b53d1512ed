"""The list of the training runs of this computer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.run_summary import RunSummary, read_runs

_REFRESH_MS = 10_000
"""Runs of other programs go on, too."""

_MOMENT_MS = 2_000
"""A run of tiny epochs ends many of them in a second."""

_PATH = Qt.ItemDataRole.UserRole
_NONE = "No run yet: choose pairs and press Start."


class RunsList(QWidget):
    """Lists runs, newest first, as soon as they are read; the chosen one stays chosen.

    Attributes
    ----------
    chosen : Signal(object)
        The path of the run that the user, or `choose`, has chosen; None for none.
    listed : Signal()
        The runs were read again.
    """

    chosen = Signal(object)
    listed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[Path, RunSummary] = {}
        self.list = QListWidget()
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.empty = QLabel(_NONE)
        self.empty.setWordWrap(True)
        self._wanted: Path | None = None
        self._told: Path | None = None
        self._latest = Latest(self)
        self._timer = QTimer(self)
        self._timer.setInterval(_REFRESH_MS)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_MOMENT_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.list, self.empty):
            layout.addWidget(widget)
        self.list.hide()
        self._latest.answered.connect(self.show_runs)
        for timer in (self._timer, self._soon):
            timer.timeout.connect(self.refresh)
        self.list.currentItemChanged.connect(self._choose_item)

    @property
    def is_busy(self) -> bool:
        """Whether the runs are still to be read."""
        return self._latest.is_busy

    @property
    def path(self) -> Path | None:
        """The chosen run."""
        item = self.list.currentItem()
        return None if item is None else item.data(_PATH)

    def choose(self, path: Path) -> None:
        """Choose a run, now or as soon as it is listed."""
        self._wanted = path
        self.refresh()

    def refresh(self) -> None:
        """Read the runs again."""
        self._soon.stop()
        self._latest.ask(partial(read_runs, self.runs))

    def refresh_soon(self) -> None:
        """Read the runs again within a moment, however often this is asked for."""
        if not self._soon.isActive():
            self._soon.start()

    def close_questions(self) -> None:
        """Want no answer any more."""
        for timer in (self._timer, self._soon):
            timer.stop()
        self._latest.drop()

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show runs that were read."""
        before = self._wanted or self.path
        self.runs = {run.path: run for run in runs}
        self.list.blockSignals(True)
        self.list.clear()
        for run in runs:
            item = QListWidgetItem(run.to_text())
            item.setData(_PATH, run.path)
            item.setToolTip(str(run.path))
            self.list.addItem(item)
            if run.path == before:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and runs:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        if self.path == self._wanted:
            self._wanted = None
        self._fit(len(runs))
        self._choose_item()
        self.listed.emit()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look again when the list comes into view, and from time to time then."""
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Look no more while nobody sees it."""
        super().hideEvent(event)
        self._timer.stop()

    def _fit(self, count: int) -> None:
        """Take as much room as there are runs, up to a few."""
        self.list.setVisible(count > 0)
        self.empty.setVisible(count == 0)
        row: QSize = self.list.sizeHintForIndex(self.list.model().index(0, 0)) if count else QSize(0, 0)  # type: ignore[union-attr]
        self.list.setFixedHeight(max(1, min(4, count)) * row.height() + 2 * self.list.frameWidth() + 2)

    def _choose_item(self, *_: Any) -> None:
        if self.path != self._told:
            self._told = self.path
            self.chosen.emit(self.path)
