"""Frozen events: what a running job says to whoever drains it."""

from napari_mitostain.events.base import Event, Notice, finite_or_none, infinite_for_none
from napari_mitostain.events.images import (
    FileDone,
    Measured,
    PairDone,
    PartDone,
    PlaneDone,
    PlaneWeighed,
    TileDone,
    UnitsKept,
)
from napari_mitostain.events.training import EpochDone, Finding, RunDone, RunStarted, Severity, StartScored, StepDone

__all__ = [
    "PASSING",
    "EpochDone",
    "Event",
    "FileDone",
    "Finding",
    "Measured",
    "Notice",
    "PairDone",
    "PartDone",
    "PlaneDone",
    "PlaneWeighed",
    "RunDone",
    "RunStarted",
    "Severity",
    "StartScored",
    "StepDone",
    "TileDone",
    "UnitsKept",
    "finite_or_none",
    "infinite_for_none",
]

PASSING = (StepDone, Measured, PartDone)
"""Events that are too many to be recorded: they are for progress bars, and places to stop at."""
