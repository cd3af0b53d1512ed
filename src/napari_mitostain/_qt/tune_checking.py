"""The check of the pairs, which runs by itself when the choice is complete."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import Outcome
from napari_mitostain._qt.progress import NoBar
from napari_mitostain._qt.tune_check import CheckView
from napari_mitostain._qt.tune_job import PairsChecked, TorchLoaded, check_job
from napari_mitostain._qt.tune_request import TuneRequest
from napari_mitostain._qt.tune_run import make_plan, pairs_objection
from napari_mitostain.errors import MitostainError
from napari_mitostain.events import Event, Finding

_PATIENCE_MS = 300
"""Time that the choice has to rest, so that a check does not begin with every key."""

_SETTINGS = (
    "patch",
    "minimum_area",
    "split",
    "holdout",
    "validation_share",
    "test_share",
    "seed",
    "weighting",
    "pixel_size_um",
)
"""Settings of a run that decide what is to be said of its pairs."""


class PairsCheck(QObject):
    """Checks the pairs of the latest request; an older check is given up.

    Parameters
    ----------
    view : CheckView
    parent : QObject

    Attributes
    ----------
    changed : Signal()
        There are other findings than before, or none yet.
    torchLoaded : Signal(TorchLoaded)
    """

    changed = Signal()
    torchLoaded = Signal(object)  # noqa: N815

    def __init__(self, view: CheckView, parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._request: TuneRequest | None = None
        self.runner = JobRunner(self, bar=NoBar)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_PATIENCE_MS)
        self._later.timeout.connect(self._begin)
        self.runner.received.connect(self._receive)
        self.runner.progressed.connect(lambda fraction, _: view.progress(fraction))
        self.runner.ended.connect(self._finish)

    @property
    def is_busy(self) -> bool:
        """Whether a check runs, or is about to."""
        return self._later.isActive() or self.runner.is_running

    @property
    def objection(self) -> str:
        """What keeps the pairs from being trained on, as far as the check has come; "" for nothing."""
        errors = len(self._view.errors)
        return f"The check has found {errors} error{'' if errors == 1 else 's'}: see above." if errors else ""

    def ask(self, request: TuneRequest) -> None:
        """Check the pairs of a request, as soon as it rests."""
        self.stop()
        self._view.clear()
        self._request = request
        if not pairs_objection(request.pairs):
            self._later.start()
        self.changed.emit()

    def follow(self, request: TuneRequest) -> None:
        """Check again if the request asks for something else of the pairs than was checked."""
        if self._request is None or _asked(request) != _asked(self._request):
            self.ask(request)

    def stop(self) -> None:
        """Check no more; what was found stays."""
        self._later.stop()
        self.runner.cancel()
        self._view.bar.hide()

    def _begin(self) -> None:
        if self._request is None or pairs_objection(self._request.pairs):
            return
        try:
            plan = make_plan(self._request)
        except MitostainError as error:
            self._view.say(str(error))
            return
        self._view.progress(0.0)
        self.runner.start("Checking pairs", partial(check_job, plan))

    def _receive(self, events: list[Event]) -> None:
        if findings := [event for event in events if isinstance(event, Finding)]:
            self._view.add(findings)
        for event in events:
            if isinstance(event, TorchLoaded):
                self.torchLoaded.emit(event)
            elif isinstance(event, PairsChecked):
                self._view.finish(f"{_counted(event.pairs)}. {event.sentence}" if event.sentence else "")
        self.changed.emit()

    def _finish(self, outcome: Outcome) -> None:
        if outcome.kind == "failed":
            self._view.say(f"The check stopped by an error: {outcome.error}")
        self._view.bar.hide()
        self.changed.emit()


def _asked(request: TuneRequest) -> tuple[object, ...]:
    """Return all that the findings depend on."""
    return request.pairs, request.model, *(getattr(request.settings, name) for name in _SETTINGS)


def _counted(pairs: int) -> str:
    return f"{pairs} pair" if pairs == 1 else f"{pairs} pairs"
