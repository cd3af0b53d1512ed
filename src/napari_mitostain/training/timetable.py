"""When things happen in a run: how far it is, when an epoch ends, when it is validated, how fast it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_mitostain.config import Schedule, TrainSettings
from napari_mitostain.training.checkpoints import Progress
from napari_mitostain.training.distributed import World

_VALIDATIONS = 25
"""How often a run is validated, if its epochs are short enough and validation takes little beside training."""

_FEWEST = 5
_SHARE = 0.1
"""Of a run's time, for validation."""

_STAINED_FOR_A_STEP = 2.5
"""Pixels that are stained and scored in the time in which a step learns from one."""

_WARM_UP_STEPS = 30


@dataclass(frozen=True, slots=True)
class Timetable:
    """The plan of one run.

    A run of so many epochs goes by them alone, so that it is the same whenever it is interrupted; one of so many
    minutes goes by the clock, and there an epoch ends early if it is longer than the time between two validations.

    Attributes
    ----------
    settings : TrainSettings
    steps : int
        In an epoch.
    scored : int
        Pixels that a validation stains and scores.
    """

    settings: TrainSettings
    steps: int
    scored: int

    def fraction(self, at: Progress) -> float:
        """Part of the run that is done."""
        if self.settings.minutes is not None:
            return min(1.0, at.seconds / self._seconds)
        return min(1.0, (at.epoch + at.batch / self.steps) / self._epochs)

    def fraction_after(self, at: Progress) -> float:
        """Part of the run that is done with this epoch."""
        return self.fraction(at) if self.settings.minutes is not None else min(1.0, (at.epoch + 1) / self._epochs)

    def goes_on(self, at: Progress) -> bool:
        """Whether an epoch is to begin, or to be ended."""
        return at.batch > 0 or self.fraction(at) < 1

    def is_over(self, at: Progress) -> bool:
        """Whether an epoch has come to its end, early or not."""
        if self.settings.minutes is None:
            return at.batch >= self.steps
        too_long = at.seconds - at.epoch_seconds >= self._seconds / _VALIDATIONS
        return at.batch > 0 and (at.batch >= self.steps or too_long or self.fraction(at) >= 1)

    def is_due(self, at: Progress) -> bool:
        """Whether the epoch that is over is to be validated."""
        if self.fraction_after(at) >= 1:
            return True
        if self.settings.minutes is None:
            return at.epoch + 1 - at.validated["epoch"] >= self._epochs / self._validations()
        waited = at.seconds - at.validated["seconds"] >= self._seconds / _VALIDATIONS
        return waited and at.validated["spent"] <= _SHARE * at.seconds

    def agreed(self, seconds: float, world: World, device: torch.device) -> float:
        """Return the time spent; where it matters, all processes go by the first one's clock."""
        return seconds if self.settings.minutes is None else world.agree(seconds, device)

    @property
    def _seconds(self) -> float:
        assert self.settings.minutes is not None
        return 60 * self.settings.minutes

    @property
    def _epochs(self) -> int:
        assert self.settings.epochs is not None
        return self.settings.epochs

    def _validations(self) -> float:
        """Return how many validations fit into their share of a run of so many epochs."""
        learnt = self._epochs * self.steps * self.settings.batch_size * self.settings.patch**2
        affordable = _SHARE * _STAINED_FOR_A_STEP * learnt / max(1, self.scored)
        return min(_VALIDATIONS, max(_FEWEST, affordable))


def learning_factor(step: int, fraction: float, schedule: Schedule) -> float:
    """Return the learning rate's part of its highest: it rises over the first steps, then stays or falls to zero."""
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return warm if schedule == "constant" else warm * (1 + math.cos(math.pi * fraction)) / 2
