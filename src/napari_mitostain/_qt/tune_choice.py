"""The choice of an epoch: its scores, and the buttons that make it a model of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget


class Keeping(Protocol):
    """What the bar asks of a run; see `training.run.RunFolder`."""

    path: Path

    def kept(self) -> dict[int, Path]:
        """Return the weights' files of the kept epochs."""
        ...


class Choice(QWidget):
    """Says which epoch is shown and how well it does, and installs it.

    Attributes
    ----------
    epochChosen : Signal(int)
        The user wants to see this epoch: the best.
    installed : Signal(str)
        The name under which the epoch's model is now among the user's.
    failed : Signal(Exception)
    """

    epochChosen = Signal(int)  # noqa: N815
    installed = Signal(str)
    failed = Signal(object)

    def set_run(self, run: Keeping | None) -> None:
        """Choose among the epochs of another run; its history is shown by `show_history`."""

    def show_history(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take up a run from its start."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take up an event of the run; other kinds than `EpochDone` are passed over."""

    def select(self, epoch: int | None) -> None:
        """Tell of an epoch; None for the best there is."""
