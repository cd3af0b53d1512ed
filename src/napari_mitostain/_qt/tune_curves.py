"""How a run goes, epoch by epoch: curves of its losses, and of its scores beside what it has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget


class Curves(QWidget):
    """Losses and validation scores of a run over its epochs.

    Attributes
    ----------
    epochChosen : Signal(int)
        The kept epoch that lies nearest to where the user clicked or dragged the mark.
    """

    epochChosen = Signal(int)  # noqa: N815

    def show_history(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Show a run from its start; events of other kinds than `StartScored` and `EpochDone` are passed over."""
        raise NotImplementedError

    def add(self, event: Mapping[str, Any]) -> None:
        """Add an event, as `Event.to_dict` gives it; drawn with others that come within a fraction of a second."""
        raise NotImplementedError

    def select(self, epoch: int | None) -> None:
        """Mark the epoch that is shown, without a word."""
        raise NotImplementedError
