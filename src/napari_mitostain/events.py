"""Frozen events: what a running job says to whoever drains it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    """One of several images was measured (its statistics, its scores); a place to stop at."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDone(Event):
    """A stain was written to a file."""

    source: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A training run begins or goes on."""

    output: str
    training: int
    validation: int
    acquisitions: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDone(Event):
    """An epoch of training is over.

    Attributes
    ----------
    losses : mapping of str to float
        Mean of "generator", "adversarial", "l1" and "discriminator" over the epoch's steps.
    scores : mapping of str to float
        Of the validation patches; empty without any.
    """

    epoch: int
    fraction: float
    losses: Mapping[str, float]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(Event):
    """A step of training is over; a place to stop at."""

    step: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDone(Event):
    """A training run is complete; `model` is the file to load."""

    model: str
    scores: Mapping[str, float]


PASSING = (StepDone, Measured)
"""Events that are too many to be recorded: they are for progress bars, and places to stop at."""


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, (str, int, float, bool))
