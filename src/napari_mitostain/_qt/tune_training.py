"""The run that is being trained: begun, paused, stopped, ended."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import Outcome, Task
from napari_mitostain._qt.progress import NoBar, trained_fraction
from napari_mitostain._qt.tune_job import TunePlan, resume_job, tune_job
from napari_mitostain.errors import TrainingError
from napari_mitostain.events import Event, Notice, RunStarted, StepDone
from napari_mitostain.training.run import CONFIG

End = Literal["done", "paused", "stopped", "failed", "in vain"]


class Training(QObject):
    """Trains one run at a time; a run that is told to end leaves a checkpoint first.

    Parameters
    ----------
    parent : QObject

    Attributes
    ----------
    began : Signal(Path)
        The run's folder is there.
    received : Signal(list)
    progressed : Signal(float, object)
    ended : Signal(str, object)
        How ("done", "paused", "stopped", "failed", or "in vain" for a run that was never there), and the error.
    """

    began = Signal(object)
    received = Signal(list)
    progressed = Signal(float, object)
    ended = Signal(str, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self._has_stepped = False
        self._wanted: End = "stopped"
        self.runner = JobRunner(self, waits=True, warns=False, fraction=trained_fraction, bar=NoBar)
        self.runner.received.connect(self._receive)
        self.runner.progressed.connect(self.progressed)
        self.runner.ended.connect(self._finish)

    @property
    def is_running(self) -> bool:
        """Whether a run is trained, or is still about to stop."""
        return self.runner.is_running

    @property
    def name(self) -> str:
        """Of the run that is, or was last, trained."""
        return self.path.name if self.path is not None else ""

    def start(self, plan: TunePlan) -> None:
        """Train a new run.

        Raises
        ------
        TrainingError
            If another is trained.
        """
        self._run(plan.output, partial(tune_job, plan))

    def resume(self, path: Path, longer: float = 0.0) -> None:
        """Go on with a run, beyond its end if it is to take longer.

        Raises
        ------
        TrainingError
            If another is trained.
        """
        self._run(path, partial(resume_job, path, longer))

    def end(self, wanted: Literal["paused", "stopped"]) -> None:
        """Stop at a checkpoint, within a step; `ended` comes when it is written."""
        self._wanted = wanted
        self.runner.cancel()

    def _run(self, path: Path, task: Task) -> None:
        if self.is_running:
            raise TrainingError(
                f"Expected one run at a time, got {path.name} while {self.name} trains; pause or stop that first."
            )
        self.path, self._wanted, self._has_stepped = path, "stopped", False
        self.runner.start(f"Training {path.name}", task)

    def _receive(self, events: list[Event]) -> None:
        self.received.emit(events)
        for event in events:
            if isinstance(event, RunStarted):
                self.began.emit(self.path)
            elif isinstance(event, StepDone):
                self._has_stepped = True
            elif isinstance(event, Notice) and self._has_stepped:  # what is said before is of the pairs, and was shown
                show_warning(event.message)

    def _finish(self, outcome: Outcome) -> None:
        kind: End = self._wanted if outcome.kind == "cancelled" else outcome.kind
        is_there = self.path is not None and (self.path / CONFIG).exists()
        self.ended.emit(kind if is_there or kind == "failed" else "in vain", outcome.error)
