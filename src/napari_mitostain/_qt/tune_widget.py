"""The dock widget "Fine-tune": the user's pairs, and the model that is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

from napari.utils.notifications import show_error
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QLabel, QMainWindow, QMessageBox, QPushButton, QTabWidget, QVBoxLayout

from napari_mitostain._qt.canvas import window_beside
from napari_mitostain._qt.docked import Docked
from napari_mitostain._qt.rows import Column, breakable
from napari_mitostain._qt.run_view import RunView
from napari_mitostain._qt.training_bar import TrainingBar
from napari_mitostain._qt.tune_checking import PairsCheck
from napari_mitostain._qt.tune_closing import ask_to_stop, dock_name, put_back
from napari_mitostain._qt.tune_form import TuneForm
from napari_mitostain._qt.tune_run import make_plan, objection
from napari_mitostain._qt.tune_runs import RunsList
from napari_mitostain._qt.tune_training import End, Training
from napari_mitostain.errors import MitostainError
from napari_mitostain.events import EpochDone, Event
from napari_mitostain.training.registry import forget

if TYPE_CHECKING:
    import napari.viewer

_NARROWEST_PX = 280


class FineTuneWidget(Docked):
    """Trains models on a viewer's layers, or on pairs in folders.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._dock = ""
        self._window: Callable[[], QMainWindow | None] = lambda: None
        self._question: QMessageBox | None = None
        self.form = TuneForm(viewer)
        self.check = PairsCheck(self.form.check, self)
        self.training = Training(self)
        self.button, self.words = QPushButton("Start"), QLabel()
        self.bar, self.runs, self.view = TrainingBar(), RunsList(), RunView(viewer)
        self.tabs = QTabWidget()
        self._lay_out()
        self._connect()
        self._ask_check()
        self._look()

    @property
    def is_busy(self) -> bool:
        """Whether something runs, or is to be read."""
        return self.check.is_busy or self.training.is_running or self.runs.is_busy or self.view.is_busy

    def _follow_layers(self) -> None:
        self.form.reset_choices()

    def event(self, event: QEvent | None) -> bool:
        """Remember the dock, to go back there if the user would rather stay."""
        if event is not None and event.type() == QEvent.Type.ParentChange and (name := dock_name(self)):
            self._dock = name
        return super().event(event)

    def _leave(self) -> None:
        """Stop what runs; a run that trains is only stopped when the user says so."""
        self.check.stop()
        if not self.training.is_running or self.training.runner.is_stopping:
            self._close()
        else:
            QTimer.singleShot(0, self._ask)  # when napari has taken the dock away

    def _ask(self) -> None:
        if not isalive(self) or self.parent() is not None:  # type: ignore[no-untyped-call]
            return
        window = self._window()
        if window is None or not isalive(window) or not self.training.is_running:  # type: ignore[no-untyped-call]
            self._close()
        else:
            self._question = ask_to_stop(window, self.training.name, self._close, self._stay)

    def _stay(self) -> None:
        self._question = None
        put_back(self._viewer, self, self._dock)
        self.reset_choices()

    def _close(self) -> None:
        self._question = None
        self.training.end("stopped")
        self.runs.close_questions()
        self.view.close_questions()

    def _lay_out(self) -> None:
        self.words.setWordWrap(True)
        new, runs = QVBoxLayout(), QVBoxLayout()
        for widget in (self.form, self.button, self.words):
            new.addWidget(widget)
        for part in (self.runs, self.view):
            runs.addWidget(part)
        for title, inner in (("New run", new), ("Runs", runs)):
            inner.addStretch()
            self.tabs.addTab(Column(inner), title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 4, 2, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.tabs, stretch=1)
        self.setMinimumWidth(_NARROWEST_PX)

    def _connect(self) -> None:
        self.form.valueChanged.connect(self._look)
        self.form.pairsChanged.connect(self._ask_check)
        self.form.valueChanged.connect(self.check.follow)
        self.form.check.shiftAsked.connect(self.form.pairs.shift)
        self.check.changed.connect(self._look)
        self.check.torchLoaded.connect(lambda event: self.form.show_devices(event.devices))
        self.button.clicked.connect(self._start)
        self.bar.pauseAsked.connect(lambda: self._end("paused"))
        self.bar.stopAsked.connect(lambda: self._end("stopped"))
        self.bar.resumeAsked.connect(self._resume_paused)
        self.training.began.connect(self._begin)
        self.training.received.connect(self._receive)
        self.training.progressed.connect(self.bar.progress)
        self.training.ended.connect(self._finish)
        self.runs.chosen.connect(self.view.show_run)
        self.runs.listed.connect(self._compare)
        self.view.resumeAsked.connect(self._resume)
        self.view.forgetAsked.connect(self._forget)
        self.view.installed.connect(self.form.start.reset_choices)

    def _ask_check(self) -> None:
        self.check.ask(self.form.value())

    def _look(self, *_: Any) -> None:
        """Say what keeps a run from starting."""
        problem = objection(self.form.value()) or self.check.objection
        if self.training.is_running:
            problem = f"{self.training.name} is being trained: one run at a time, pause or stop it first."
        self._say(problem)
        self.button.setEnabled(not problem)

    def _say(self, words: str) -> None:
        self.words.setText(breakable(words))
        self.words.setVisible(bool(words))

    def _start(self) -> None:
        try:
            self.training.start(make_plan(self.form.value()))
        except MitostainError as error:
            show_error(str(error))
            self._say(str(error))
            return
        self._go()

    def _resume(self, path: Path, longer: float) -> None:
        try:
            self.training.resume(path, longer)
        except MitostainError as error:
            show_error(str(error))
            return
        self._go()

    def _go(self) -> None:
        self.check.stop()
        self.bar.begin(self.training.name)
        self._look()
        if (window := window_beside(self)) is not None:
            self._window = ref(window)  # which must not be kept when napari closes it

    def _resume_paused(self) -> None:
        if self.training.path is not None:
            self._resume(self.training.path, 0.0)

    def _end(self, how: Literal["paused", "stopped"]) -> None:
        self.training.end(how)
        self.bar.wait()

    def _begin(self, path: Path) -> None:
        """Show the run, whose folder is there now."""
        if path == self.view.path:
            self.view.refresh()
        self.runs.choose(path)
        self.tabs.setCurrentIndex(1)

    def _receive(self, events: list[Event]) -> None:
        self.bar.receive(events)
        if self.view.path is not None and self.view.path == self.training.path:
            self.view.add([event.to_dict() for event in events])
        if any(isinstance(event, EpochDone) for event in events):
            self.runs.refresh_soon()

    def _finish(self, how: End, error: Exception | None) -> None:
        self.bar.end(how, error)
        self._look()
        self.runs.refresh()
        if self.view.path == self.training.path:
            self.view.refresh()

    def _compare(self) -> None:
        """Read the run that is shown again if another program has gone on with it."""
        shown = self.view.summary
        listed = self.runs.runs.get(shown.path) if shown is not None else None
        if shown is None or listed is None or (self.training.is_running and self.training.path == shown.path):
            return
        if (listed.stamp, listed.state) != (shown.stamp, shown.state):
            self.view.refresh()

    def _forget(self, path: Path) -> None:
        forget(path)
        self.runs.refresh()
