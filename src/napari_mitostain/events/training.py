"""What is said of pairs and of a run on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.events.base import Event

Severity = Literal["error", "warning", "note"]


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
