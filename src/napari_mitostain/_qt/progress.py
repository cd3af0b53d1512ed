"""How far a job is, and how long it will take: in napari's activity dock and in words."""

from __future__ import annotations

from napari.utils.progress import cancelable_progress

from napari_mitostain.events import EpochDone, Event, Measured, PlaneDone, StepDone, TileDone

_STEPS = 1000


def fraction_of(event: Event) -> float | None:
    """Return the part of its job that an event says is done, None if it says nothing of that."""
    if isinstance(event, (PlaneDone, Measured)):
        return event.done / event.total
    return event.fraction if isinstance(event, TileDone) else None


def trained_fraction(event: Event) -> float | None:
    """Return the part of a training run that is done; what is measured between its steps says nothing of that."""
    return event.fraction if isinstance(event, (StepDone, EpochDone)) else None


def words_for(seconds: float | None) -> str:
    """Say how long is left, no more precisely than it is known.

    Examples
    --------
    >>> words_for(100), words_for(5), words_for(None)
    ('about 2 min left', 'a few seconds left', 'estimating the time left…')
    """
    if seconds is None:
        return "estimating the time left…"
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {10 * round(seconds / 10)} s left"
    if seconds < 5400:
        return f"about {max(1, round(seconds / 60))} min left"
    return f"about {seconds / 3600:.1f} h left"


class Clock:
    """Estimates the time left from the first event on, so that loading a model does not count as slow staining."""

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None

    def seconds_left(self, fraction: float, time: float) -> float | None:
        """Return the seconds left when `fraction` is done at `time`; None before two events have come."""
        first, begin = self._start = self._start or (fraction, time)
        return (time - begin) * (1 - fraction) / (fraction - first) if fraction > first else None


class NoBar:
    """Stands for the bar of a job whose widget shows how far it is."""

    is_cancelled = False

    def __init__(self, title: str) -> None:
        pass

    def show(self, fraction: float) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Leave nothing behind."""


class ActivityBar:
    """A bar in napari's activity dock, with the time left and a cancel button. Only for the main thread.

    While there is one, napari turns a wheel in its status bar 33 times a second, and beside a canvas Qt then draws the
    whole window anew: on a machine without a graphics card, a third of a core.
    """

    def __init__(self, title: str) -> None:
        self._progress = cancelable_progress(total=_STEPS, desc=title, bar_format="{desc}| {remaining} left")
        self._closed = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the user pressed the bar's cancel button."""
        return bool(self._progress.is_canceled)

    def show(self, fraction: float) -> None:
        """Show the part that is done; napari runs waiting Qt events meanwhile, so anything may have changed after."""
        if not self._closed and (steps := round(fraction * _STEPS) - self._progress.n) > 0:
            self._progress.update(steps)

    def close(self) -> None:
        """Remove the bar."""
        self._closed = True
        self._progress.close()
