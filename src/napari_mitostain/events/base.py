"""Frozen events: what a running job says to whoever drains it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events; `time` is in seconds since 1970."""

    time: float = field(default_factory=time.time)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values: arrays are left out, "event" names its kind."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"event": type(self).__name__} | {k: v for k, v in values.items() if _is_plain(v)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something the user should know; the job goes on."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TileDone(Event):
    """A tile of the stain is ready.

    Attributes
    ----------
    plane : tuple of int
        Position of its plane in the stain, along every axis but Y and X.
    box : tuple of slice
        Rows and columns of the plane.
    values : ndarray of float32
        Relative intensity (Y, X) in [0, 1].
    fraction : float
        Part of the whole job that is done, in [0, 1].
    """

    plane: tuple[int, ...]
    box: tuple[slice, slice]
    values: NDArray[np.float32]
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneDone(Event):
    """A whole plane (Y, X) of the stain is ready; it holds for the plane's tiles, and replaces them."""

    plane: tuple[int, ...]
    values: NDArray[np.float32]
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneWeighed(PlaneDone):
    """The TN weights of a plane are ready.

    Attributes
    ----------
    minimum, mean, std, maximum : float
        What the bands were placed by: of the plane, or of the whole stack.
    thresholds : tuple of float
        M1 and M2.
    pixel_shares, weight_shares : tuple of float
        Parts of the plane's pixels, and of its weights, that lie in bands 1 to 3.
    """

    minimum: float
    mean: float
    std: float
    maximum: float
    thresholds: tuple[float, float]
    pixel_shares: tuple[float, float, float]
    weight_shares: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Event):
    """So many of several images were measured (statistics, scores), maybe part of another; a place to stop at."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDone(Event):
    """A stain is in its file.

    Attributes
    ----------
    source, output : str
    kept : bool
        Whether an earlier run has written it.
    """

    source: str
    output: str
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsKept(Event):
    """So many planes, or blocks of planes, of a stain were finished by an earlier run, and are as it left them."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDone(Event):
    """Another process has done a part of the job, or is still at it; a place to stop at.

    Attributes
    ----------
    fraction : float
        Part of the whole job that is done, in [0, 1].
    """

    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDone(Event):
    """A simulated pair is in its folder.

    Attributes
    ----------
    name : str
        Of both files.
    kept : bool
        Whether it was there before.
    done, total : int
    """

    name: str
    kept: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Event):
    """Something that was found out about the pairs of a run before it trains.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        A run does not start with an error.
    message : str
        One sentence.
    pairs : tuple of str
        Names of the pairs it is about; empty if about all.
    acquisition : str
        What a shift is offered for; empty if none is.
    shift : tuple of int, optional
        Rows and columns by which the fluorescence of that acquisition should be moved.
    picture : ndarray of uint8, optional
        What it looks like (Y, X, 3): fluorescence in green over the stain or texture in magenta, as it is and, to the
        right of it, after the shift.
    """

    severity: Severity
    message: str
    pairs: tuple[str, ...] = ()
    acquisition: str = ""
    shift: tuple[int, int] | None = None
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A training run begins or goes on.

    Attributes
    ----------
    output : str
        Folder of the run.
    training, validation : int
        Numbers of pairs.
    acquisitions : mapping of str to list of str
        Names of the acquisitions of "training" and "validation" (and "test").
    """

    output: str
    training: int
    validation: int
    acquisitions: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartScored(Event):
    """What a run has to beat: the validation scores of the model it starts from, and of what needs no learning.

    Attributes
    ----------
    scores : mapping of str to mapping
        From "start" (absent for an untrained generator), "constant", "variance" and "ceiling" to their scores.
    """

    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDone(Event):
    """An epoch of training is over.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    fraction : float
        Part of the run that is done, in [0, 1].
    losses : mapping of str to float
        Mean of "generator", "adversarial", "l1" (weighted, without λ) and "discriminator" over the epoch's steps.
    validation_losses, scores : mapping of str to float
        The same losses, and the scores, of the validation pairs; empty where the epoch was not validated.
    model : str
        Name under which the run keeps this epoch's generator (see `RunFolder.kept`); empty where it is not kept.
    best : bool
        Whether it is the run's model from now on.
    """

    epoch: int
    fraction: float
    losses: Mapping[str, float]
    scores: Mapping[str, float]
    validation_losses: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(Event):
    """A step of training is over; a place to stop at."""

    step: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDone(Event):
    """A training run is complete.

    Attributes
    ----------
    model : str
        The file to load.
    scores : mapping of str to float
        Of the best epoch on the validation pairs; empty without any.
    epoch : int, optional
        The best epoch; None where nothing was validated, and the last one was taken.
    verdict : str
        One sentence that says whether training helped, beside the starting model and the baselines.
    """

    model: str
    scores: Mapping[str, float]
    epoch: int | None = None
    verdict: str = ""


PASSING = (StepDone, Measured, PartDone)
"""Events that are too many to be recorded: they are for progress bars, and places to stop at."""


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, (str, int, float, bool))
