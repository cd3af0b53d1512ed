"""All that is shown of one run: its state, what can be done with it, its curves, its time machine, its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mitostain._qt.card_view import CardView
from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.rows import breakable, folded
from napari_mitostain._qt.run_summary import RunDetails, RunSummary, read_details, told_of
from napari_mitostain._qt.scores_table import ScoresTable
from napari_mitostain._qt.tune_choice import Choice
from napari_mitostain._qt.tune_curves import Curves
from napari_mitostain._qt.tune_machine import TimeMachine
from napari_mitostain.errors import MitostainError
from napari_mitostain.training.run import RunFolder

if TYPE_CHECKING:
    from napari.viewer import Viewer

_MORE = {True: 10.0, False: 5.0}
"""Epochs, or minutes, that are offered to continue for."""


class RunView(QWidget):
    """Shows a run, as it was read from its folder and, while it trains here, as it goes on.

    Parameters
    ----------
    viewer : Viewer

    Attributes
    ----------
    resumeAsked : Signal(Path, float)
        With the epochs or minutes to go on beyond the end; 0 for none.
    forgetAsked : Signal(Path)
    installed : Signal(str)
        The name of the model that was just made of the run.
    """

    resumeAsked = Signal(object, float)  # noqa: N815
    forgetAsked = Signal(object)  # noqa: N815
    installed = Signal(str)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.path: Path | None = None
        self.summary: RunSummary | None = None
        self._live: list[dict[str, Any]] = []
        self._selected: int | None = None
        self.machine: TimeMachine | None = None
        self.words, self.notices, self.scores = QLabel(), QLabel(), ScoresTable()
        self.resume, self.longer = QPushButton("Resume"), QPushButton("Continue longer")
        self.forget = QPushButton("Forget")
        self.more = QDoubleSpinBox()
        self.travel = QPushButton("Time machine")
        self.choice, self.curves, self.card = Choice(), Curves(), CardView()
        self._latest = Latest(self)
        self._lay_out()
        self._connect()
        self.show_run(None)

    @property
    def is_busy(self) -> bool:
        """Whether the run is still to be read."""
        return self._latest.is_busy

    def show_run(self, path: Path | None) -> None:
        """Show another run, as soon as it is read; None shows nothing."""
        if path != self.path:
            self.leave_time_machine()
            self._live.clear()
            self._selected = None
            self.choice.set_run(None if path is None else RunFolder(path))
            self._show_events([], {}, {})
        self.path = path
        self.setVisible(path is not None)
        self.refresh()

    def refresh(self) -> None:
        """Read the run again."""
        if self.path is not None:
            self._latest.ask(partial(read_details, self.path))

    def add(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take up events of the run, which trains."""
        told = [dict(event) for event in events if event["event"] in ("StartScored", "EpochDone")]
        self._live += told
        for event in told:
            self._add(event)

    def leave_time_machine(self) -> None:
        """Take the time machine's layers away; the best epoch is again the one to use."""
        machine, self.machine = self.machine, None  # first: its going is told, and comes back here
        if machine is not None:
            self._select(None)
            machine.remove()
            machine.deleteLater()
        self.travel.setChecked(False)

    def close_questions(self) -> None:
        """Leave the viewer as it was, and want no answers any more."""
        self.leave_time_machine()
        self._latest.drop()

    def _lay_out(self) -> None:
        for label in (self.words, self.notices):
            label.setWordWrap(True)
        self.more.setRange(1, 1e5)
        self.more.setDecimals(0)
        self.travel.setCheckable(True)
        self.travel.setToolTip("Show how a few fixed crops were stained, epoch by epoch, as layers with a slider.")
        self.longer.setToolTip("Let a run that has ended go on for so much more.")
        self.forget.setToolTip("Take the run out of this list; its files stay where they are.")
        self.resume.setToolTip("Go on from the last checkpoint.")
        first, second = QHBoxLayout(), QHBoxLayout()
        for widget in (self.resume, self.forget):
            first.addWidget(widget)
        second.addWidget(self.longer)
        second.addWidget(self.more)
        card = folded("Card of the model", self.card)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        for buttons in (first, second):
            layout.addLayout(buttons)
        for part in (self.notices, self.scores, self.choice, self.travel, self.curves, card):
            layout.addWidget(part)

    def _connect(self) -> None:
        self._latest.answered.connect(self._show)
        self._latest.failed.connect(_report)
        self.resume.clicked.connect(lambda: self.resumeAsked.emit(self.path, 0.0))
        self.longer.clicked.connect(lambda: self.resumeAsked.emit(self.path, self.more.value()))
        self.forget.clicked.connect(lambda: self.forgetAsked.emit(self.path))
        self.travel.toggled.connect(self._travel)
        self.choice.installed.connect(self.installed)
        self.choice.failed.connect(_report)
        for part in (self.choice, self.curves):
            part.epochChosen.connect(self._go_to)

    def _show(self, details: RunDetails) -> None:
        """Show what was read; what came meanwhile holds."""
        summary = details.summary
        if summary.path != self.path:
            return
        self.words.setText(breakable(told_of(summary)))
        is_idle = summary.state != "running"
        self.resume.setVisible(summary.state == "unfinished")
        for widget in (self.longer, self.more):
            widget.setVisible(summary.state == "finished")
        if self.summary is None or self.summary.path != summary.path:
            self.more.setSuffix(" epochs" if summary.in_epochs else " min")
            self.more.setValue(_MORE[summary.in_epochs])
        self.summary = summary
        self.forget.setVisible(is_idle)
        self.notices.setText(breakable("\n".join(f"Note: {notice}" for notice in summary.notices)))
        self.notices.setVisible(bool(summary.notices))
        self.card.show_card(details.card)
        self._show_events(details.events, summary.scores, summary.to_beat)
        self._live = [event for event in self._live if event["time"] > summary.changed]
        for event in self._live:
            self._add(event)
        if self._selected is not None:
            self._select(self._selected)

    def _show_events(
        self, events: Sequence[dict[str, Any]], scores: Mapping[str, float], to_beat: Mapping[str, Mapping[str, float]]
    ) -> None:
        for part in (self.curves, self.choice):
            part.show_history(events)
        self._best, self._to_beat = scores, to_beat
        self.scores.show_scores(scores, to_beat)

    def _add(self, event: dict[str, Any]) -> None:
        self.curves.add(event)
        self.choice.add(event)
        if event["event"] == "StartScored":
            self._to_beat = event["scores"]
        elif event.get("best"):
            self._best = event["scores"]
        self.scores.show_scores(self._best, self._to_beat)
        if self.machine is not None and event.get("model") and self.path is not None:
            self.machine.add(event["epoch"], RunFolder(self.path).previews.file_of(event["epoch"]))

    def _travel(self, wanted: bool) -> None:
        if not wanted:
            self.leave_time_machine()
        elif self.path is not None:
            self.machine = TimeMachine(self._viewer, RunFolder(self.path), self)
            self.machine.epochSeen.connect(self._select)
            self.machine.shown.connect(self.travel.setChecked)
            self.machine.failed.connect(self._fail_to_travel)
            self.machine.show(self.choice.epoch)

    def _fail_to_travel(self, error: Exception) -> None:
        self.leave_time_machine()
        _report(error)

    def _go_to(self, epoch: int) -> None:
        """Show an epoch that was chosen on a curve, or as the best."""
        if self.machine is not None:
            self.machine.go_to(epoch)
        self._select(epoch)

    def _select(self, epoch: int | None) -> None:
        self._selected = epoch
        for part in (self.curves, self.choice):
            part.select(epoch)


def _report(error: Exception) -> None:
    show_error(str(error) if isinstance(error, MitostainError) else f"{type(error).__name__}: {error}")
