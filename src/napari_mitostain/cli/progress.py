"""Drain a job to a progress bar, and stop it cleanly on Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType

from tqdm import tqdm

from napari_mitostain.events import (
    EpochDone,
    Event,
    Measured,
    Notice,
    PairDone,
    PartDone,
    PlaneDone,
    StepDone,
    TileDone,
)


def drain(events: Iterator[Event], label: str) -> Iterator[Event]:
    """Pass a job's events on while showing its progress on a terminal and its notices on standard error.

    The first Ctrl-C stops the job at its next event, so that it leaves a checkpoint and no partial file; the second
    one stops it where it is.

    Parameters
    ----------
    events : iterator of Event
    label : str

    Raises
    ------
    KeyboardInterrupt
        After the job was stopped.
    """
    bar = tqdm(
        total=100,
        desc=label,
        unit="%",
        disable=None,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {remaining} left{postfix}",
    )
    in_tiles = False
    with bar, _interruptible() as interrupted, closing(events):  # type: ignore[type-var]
        for event in events:
            in_tiles = in_tiles or isinstance(event, TileDone)
            if isinstance(event, Measured):
                bar.set_postfix_str(f"{event.done} of {event.total} read")
            elif isinstance(event, (TileDone, PlaneDone, PartDone)):
                bar.set_postfix_str("", refresh=False)
            if isinstance(event, (TileDone, StepDone, PartDone)):
                bar.update(round(100 * event.fraction, 2) - bar.n)
            if isinstance(event, (PairDone, PlaneDone)) and not in_tiles:
                bar.update(round(100 * event.done / event.total, 2) - bar.n)
            if isinstance(event, EpochDone):
                bar.set_postfix({name: f"{value:.3f}" for name, value in {**event.losses, **event.scores}.items()})
            if isinstance(event, Notice):
                bar.write(f"mitostain: {event.message}", file=sys.stderr)
            yield event
            if interrupted:
                raise KeyboardInterrupt


@contextmanager
def _interruptible() -> Iterator[list[bool]]:
    """Collect the first SIGINT in a list instead of raising in the middle of a step."""
    interrupted: list[bool] = []

    def note(_signum: int, _frame: FrameType | None) -> None:
        interrupted.append(True)
        signal.signal(signal.SIGINT, former)

    former = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, former)
