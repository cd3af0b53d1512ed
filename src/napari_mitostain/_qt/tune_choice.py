"""The choice of an epoch: how well it does, and the buttons that make it a model of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.tune_history import START, History, title_of
from napari_mitostain.errors import TrainingError


class Keeping(Protocol):
    """What the bar asks of a run; see `training.run.RunFolder`."""

    path: Path

    @property
    def model(self) -> Path:
        """Weights of the best epoch, whose card says what the run came to."""
        ...

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
        The model cannot be installed.
    """

    epochChosen = Signal(int)  # noqa: N815
    installed = Signal(str)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._run: Keeping | None = None
        self._history = History()
        self._selected: int | None = None
        self._said = self._installing = ""
        self._latest = Latest(self)
        self.words = QLabel()
        self.use = QPushButton("Use this model")
        self.best = QPushButton("Best")
        self._lay_out()
        self.use.clicked.connect(self._install)
        self.best.clicked.connect(self._choose_best)
        self._latest.answered.connect(self._on_installed)
        self._latest.failed.connect(self._on_failed)
        self._tell()

    def set_run(self, run: Keeping | None) -> None:
        """Choose among the epochs of another run, which `show_history` and `add` tell of."""
        self._run = run
        self.show_history([])

    def show_history(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take up a run from its start."""
        self._history = History(events)
        self.select(None)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take up an event of the run, as `Event.to_dict` gives it; others than of epochs are passed over."""
        if self._history.add(event):
            self._tell()

    def select(self, epoch: int | None) -> None:
        """Tell of an epoch; None for the best there is."""
        if epoch != self._selected or epoch is None:
            self._selected, self._said = epoch, ""
        self._tell()

    @property
    def epoch(self) -> int | None:
        """The epoch that would be used: the selected one, else the best, else the last that is kept."""
        if self._selected is not None:
            return self._selected
        kept = self._history.kept
        return self._history.best if self._history.best is not None or not kept else kept[-1]

    def _lay_out(self) -> None:
        self.words.setWordWrap(True)
        self.use.setToolTip("Copies this epoch's model to your own, where Digital stain offers it.")
        self.best.setToolTip("Shows the epoch with the best detail score of validation.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.use, stretch=1)
        buttons.addWidget(self.best)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        layout.addLayout(buttons)

    def _tell(self) -> None:
        epoch, best = self.epoch, self._history.best
        self.use.setEnabled(self._run is not None and epoch in self._history.kept and not self._latest.is_busy)
        self.best.setEnabled(best is not None and best != self._selected)
        self.words.setText("\n".join(filter(None, (_words(self._history, epoch), self._said))))

    def _choose_best(self) -> None:
        if (best := self._history.best) is not None:
            self.select(best)
            self.epochChosen.emit(best)

    def _install(self) -> None:
        if self._run is not None and (epoch := self.epoch) is not None:
            self._installing = title_of(epoch)
            self._latest.ask(partial(_installed, self._run, epoch, epoch == self._history.best))
            self._tell()

    def _on_installed(self, name: str) -> None:
        self._said = f"{self._installing.capitalize()} is installed as “{name}”: choose it in Digital stain."
        self._tell()
        self.installed.emit(name)

    def _on_failed(self, error: Exception) -> None:
        self._said = str(error)
        self._tell()
        self.failed.emit(error)


def _installed(run: Keeping, epoch: int, is_best: bool) -> str:
    """Install the run's model, or one of its other epochs under a name that says so."""
    from napari_mitostain.model.library import install_model

    kept = run.kept()
    if epoch not in kept:
        raise TrainingError(
            f"Expected the model of epoch {epoch} in {run.path}, got none there any more; choose another epoch."
        )
    name = run.path.resolve().name
    return install_model(run.model, name) if is_best else install_model(kept[epoch], f"{name} {title_of(epoch)}")


def _words(history: History, epoch: int | None) -> str:
    """Say how an epoch does, such as "Epoch 12: detail 0.34, Pearson 0.65 (best: epoch 9)"."""
    if epoch is None:
        return "No epoch is kept yet."
    scores = history.to_beat.get("start", {}) if epoch == START else history.values("scores", epoch)
    titles = {"detail_pearson": "detail", "pearson": "Pearson"}
    told = ", ".join(f"{title} {scores[name]:.2f}" for name, title in titles.items() if name in scores)
    best = history.best
    rank = "" if best is None else " (best)" if best == epoch else f" (best: epoch {best})"
    return f"{title_of(epoch).capitalize()}: {told or 'not scored'}{rank}"
