"""What is known of a run's epochs, from its events: losses, scores, which are kept, which is the best."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

START = -1
"""Stands for the model that a run started from, where an epoch is shown."""

PARTS = ("losses", "validation_losses", "scores")
"""Of an `EpochDone`, that are drawn as curves."""


class History:
    """Epochs of a run in order. A run that went back to a checkpoint does them again: the later ones hold."""

    def __init__(self, events: Iterable[Mapping[str, Any]] = ()) -> None:
        self.epochs: list[int] = []
        self.kept: list[int] = []
        self.bests: list[int] = []
        self.to_beat: dict[str, Mapping[str, float]] = {}
        self._values: dict[tuple[str, str], list[float]] = {}
        for event in events:
            self.add(event)

    @property
    def best(self) -> int | None:
        """The epoch that is the run's model; None while none was scored."""
        return self.bests[-1] if self.bests else None

    def add(self, event: Mapping[str, Any]) -> bool:
        """Take up an event, as `Event.to_dict` gives it, and tell whether it says something of epochs."""
        if event["event"] == "StartScored":
            self.to_beat = dict(event["scores"])
        elif event["event"] == "EpochDone":
            self._add_epoch(event)
        return event["event"] in ("StartScored", "EpochDone")

    def curve(self, part: str, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the epochs for which there is a value, and the values."""
        values = np.array(self._values.get((part, name), ()), np.float64)
        known = np.isfinite(values)
        return np.array(self.epochs[: len(values)], np.int64)[known], values[known]

    def values(self, part: str, epoch: int | None = None) -> dict[str, float]:
        """Return the losses or scores of an epoch, by default of the last that has any."""
        places = self._place(epoch if epoch is not None else self.latest(part))
        columns = {name: values for (of, name), values in self._values.items() if of == part}
        return {name: values[at] for at in places for name, values in columns.items() if math.isfinite(values[at])}

    def latest(self, part: str) -> int | None:
        """Return the last epoch that has losses or scores."""
        columns = [values for (of, _), values in self._values.items() if of == part]
        places = reversed(range(len(self.epochs)))
        return next((self.epochs[at] for at in places if any(math.isfinite(values[at]) for values in columns)), None)

    def nearest_kept(self, epoch: float) -> int | None:
        """Return the kept epoch that lies nearest."""
        return nearest(self.kept, epoch)

    def _add_epoch(self, event: Mapping[str, Any]) -> None:
        epoch = int(event["epoch"])
        if self.epochs and epoch <= self.epochs[-1]:
            self._go_back(epoch)
        before = len(self.epochs)
        self.epochs.append(epoch)
        for part in PARTS:
            for name, value in event.get(part, {}).items():
                values = self._values.setdefault((part, name), [])
                values += [math.nan] * (before - len(values))
                values.append(math.nan if value is None else float(value))
        for values in self._values.values():
            values += [math.nan] * (before + 1 - len(values))
        if event.get("model"):
            self.kept.append(epoch)
        if event.get("best"):
            self.bests.append(epoch)

    def _place(self, epoch: int | None) -> Sequence[int]:
        if epoch is None:
            return []
        at = bisect_left(self.epochs, epoch)
        return [at] if self.epochs[at : at + 1] == [epoch] else []

    def _go_back(self, epoch: int) -> None:
        """Forget this epoch and all after it."""
        first = bisect_left(self.epochs, epoch)
        del self.epochs[first:]
        for values in self._values.values():
            del values[first:]
        for some in (self.kept, self.bests):
            del some[bisect_left(some, epoch) :]


def nearest(epochs: Sequence[int], epoch: float) -> int | None:
    """Return the nearest of some epochs in order, the later of two that are as near; None of none."""
    return min(epochs, key=lambda other: (abs(other - epoch), -other), default=None)


def title_of(epoch: int) -> str:
    """Name an epoch for people."""
    return "starting model" if epoch == START else f"epoch {epoch}"
