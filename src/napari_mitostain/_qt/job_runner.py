"""Brings what a job says to the main thread: events in batches, progress, notices, errors, the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.jobs import Job, Outcome, Task, new_job
from napari_mitostain._qt.progress import ActivityBar, Clock, NoBar, fraction_of
from napari_mitostain.errors import MitostainError
from napari_mitostain.events import Event, Notice

_TICK_MS = 40
"""Time between two looks at the events of a job: quick for the eye, and a flood of events costs one look."""

_SHOWN_STEP, _SHOWN_S = 0.01, 1.0
"""Progress is shown when so large a part was done, or so long has passed since the last time: Qt draws the whole window
anew for each change beside a canvas, which costs a machine without a graphics card 0.1 s of processor time."""

_NOTICES_SHOWN = 3
"""Notices of a job that the user sees one by one; a long stack could bring thousands."""


class JobRunner(QObject):
    """Runs one job at a time and speaks for it on the main thread.

    Errors become notifications, notices too, progress goes to napari's activity dock. However a job ends, `ended` is
    emitted once, unless the runner is gone. When the runner goes (with its parent widget), its job is told to stop, and
    its thread ends by itself within a tile.

    Parameters
    ----------
    parent : QObject, optional
    waits : bool
        A cancelled job is over for the viewer only when its thread is, such as one that leaves a checkpoint.
    warns : bool
        Whether notices become notifications.
    fraction : callable
        Returns the part of its job that an event says is done, None if it says nothing of that.
    bar : type
        Shows it: in the activity dock, or not at all, for the long jobs of a widget that has a bar.

    Attributes
    ----------
    received : Signal(list)
        Events since the last emission, in order.
    progressed : Signal(float, object)
        Part of the job that is done, and seconds left (None while unknown).
    ended : Signal(Outcome)
    """

    received = Signal(list)
    progressed = Signal(float, object)
    ended = Signal(object)

    def __init__(
        self,
        parent: QObject | None = None,
        waits: bool = False,
        warns: bool = True,
        fraction: Callable[[Event], float | None] = fraction_of,
        bar: type[ActivityBar | NoBar] = ActivityBar,
    ) -> None:
        super().__init__(parent)
        self._waits, self._warns, self._fraction, self._new_bar = waits, warns, fraction, bar
        self._job: Job | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._look)
        self._stopper = _Stopper()
        self.destroyed.connect(self._stopper)

    @property
    def is_running(self) -> bool:
        """Whether a job runs; one that was cancelled does only while it is waited for."""
        return self._job is not None

    @property
    def is_stopping(self) -> bool:
        """Whether a cancelled job is waited for."""
        return self._job is not None and bool(self._job.abort_requested)

    def start(self, title: str, task: Task) -> None:
        """Run a task in a thread, in place of the job that runs now.

        Parameters
        ----------
        title : str
            What the job does, for people: "Staining cells".
        task : Task
            Holds arrays and frozen settings, never layers or widgets.
        """
        self.cancel()
        assert self._job is None, "a job that is waited for has to end first"
        job = new_job(title, task)
        self._job, self._clock, self._notices, self._shown = job, Clock(), 0, (-1.0, 0.0)
        self._bar = self._new_bar(title)
        self._stopper.watch(job, self._bar)
        self._timer.start()
        job.start()

    def cancel(self) -> None:
        """Stop the job; unless it is waited for, it is over for the viewer at once, its thread ends within a tile."""
        if self._job is not None:
            self._job.quit()
            if not self._waits:
                self._end(Outcome("cancelled"))

    def _look(self) -> None:
        """Take what the job has said. Each step may run Qt events, so each asks whether the job is still the one."""
        job = self._job
        if job is None:
            return
        if job.abort_requested or self._bar.is_cancelled:  # by napari's close dialog, or in the activity dock
            self.cancel()
            if job is not self._job:
                return
        left = job.left  # before its last events are taken
        items = job.waiting()
        if events := [item for item in items if isinstance(item, Event)]:
            self._tell(job, events)
        if job is self._job and items and isinstance(outcome := items[-1], Outcome):
            self._end(outcome)
        elif job is self._job and left is not None:
            self._end(left)

    def _tell(self, job: Job, events: list[Event]) -> None:
        self.received.emit(events)
        if job is self._job and self._warns:
            self._warn([event.message for event in events if isinstance(event, Notice)])
        steps = [(fraction, event.time) for event in events if (fraction := self._fraction(event)) is not None]
        if job is self._job and steps and self._is_worth_showing(*steps[-1]):
            self._shown = steps[-1]
            self.progressed.emit(steps[-1][0], self._clock.seconds_left(*steps[-1]))
            self._bar.show(steps[-1][0])

    def _is_worth_showing(self, fraction: float, time: float) -> bool:
        part, before = self._shown
        return fraction == 1 or abs(fraction - part) >= _SHOWN_STEP or time - before >= _SHOWN_S

    def _warn(self, messages: list[str]) -> None:
        for message in messages[: max(0, _NOTICES_SHOWN - self._notices)]:
            show_warning(message)
        self._notices += len(messages)

    def _end(self, outcome: Outcome) -> None:
        self._timer.stop()
        self._job = None
        if self._notices > _NOTICES_SHOWN:
            show_warning(f"{self._notices - _NOTICES_SHOWN} more notices like these.")
        if outcome.error is not None:
            report(outcome.error)
        self._bar.close()
        self.ended.emit(outcome)


def report(error: Exception) -> None:
    """Tell the user why something failed: our own errors are sentences, others need their type."""
    if isinstance(error, MitostainError):
        show_error(str(error))
    else:
        logging.getLogger(__name__).error("A job failed.", exc_info=error)
        show_error(f"{type(error).__name__}: {error}")


class _Stopper:
    """Stops the job of a runner that is destroyed, and removes its bar.

    Kept until then beside the runner: what only the runner holds is emptied by Python's garbage collector before Qt
    destroys the runner, and Qt then calls into the void.
    """

    _kept: ClassVar[set[_Stopper]] = set()

    def __init__(self) -> None:
        self._watched: tuple[Job, ActivityBar | NoBar] | None = None
        self._kept.add(self)

    def watch(self, job: Job, bar: ActivityBar | NoBar) -> None:
        """Take care of the runner's latest job; those before it were cancelled."""
        self._watched = job, bar

    def __call__(self, *_: Any) -> None:
        self._kept.discard(self)
        if self._watched is not None:
            job, bar = self._watched
            job.quit()
            bar.close()
