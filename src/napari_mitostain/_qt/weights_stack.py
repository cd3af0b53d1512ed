"""Mean and standard deviation of a whole stack, measured in a job for each of its channels, once."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QObject, QSignalBlocker, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import Outcome
from napari_mitostain._qt.weights_job import StackMeasured, measure_job
from napari_mitostain.events import Event
from napari_mitostain.image import Stack
from napari_mitostain.weighting import Statistics


class StackStatistics(QObject):
    """What is known of one stack at a time. Only for the main thread.

    Attributes
    ----------
    measured : Signal()
        One more channel is known.
    given_up : Signal()
        The user has cancelled a measurement, or an error has ended it.
    """

    measured = Signal()
    given_up = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = JobRunner(self)
        self._known: dict[int, Statistics] = {}
        self._runner.received.connect(self._receive)
        self._runner.ended.connect(self._end)

    @property
    def is_busy(self) -> bool:
        """Whether a measurement is under way."""
        return self._runner.is_running

    def of(self, channel: int) -> Statistics | None:
        """Return what is known of a channel."""
        return self._known.get(channel)

    def measure(self, name: str, stack: Stack, channel: int) -> None:
        """Measure a channel of a stack, which people know by a name, unless one is being measured."""
        if not self.is_busy:
            self._runner.start(f"Measuring {name}", partial(measure_job, stack, channel))

    def forget(self) -> None:
        """Turn to another stack."""
        with QSignalBlocker(self._runner):  # it was not the user who gave up
            self._runner.cancel()
        self._known.clear()

    def _receive(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, StackMeasured):
                self._known[event.channel] = event.statistics

    def _end(self, outcome: Outcome) -> None:
        (self.measured if outcome.kind == "done" else self.given_up).emit()
