"""A training run is a folder: settings, events, the last checkpoint, the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import FileError, TrainingError, clause
from napari_mitostain.events import Event
from napari_mitostain.image.files import atomic_write
from napari_mitostain.image.files.failures import writing
from napari_mitostain.model.checkpoint import load_checkpoint, save_checkpoint
from napari_mitostain.model.library import MODEL_OF_RUN
from napari_mitostain.training.step import Players


@dataclass
class Progress:
    """How far a run has come.

    Attributes
    ----------
    epoch, batch : int
        The epoch it is in, and the batches of that epoch it has seen.
    step : int
        Steps since the start.
    seconds : float
        Time spent in steps, over all sessions.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0


class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / MODEL_OF_RUN
        self._config = path / "config.json"
        self.checkpoint = path / "checkpoint.safetensors"

    def create(self, settings: TrainSettings, pairs: str) -> None:
        """Start a new run.

        Raises
        ------
        FileError
            If the folder holds a run or other files already, or cannot be written.
        """
        if self._config.exists():
            raise FileError(
                f"Expected a new folder for the run, got {self.path}, which holds one; use --resume or another."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise FileError(
                f"Expected a folder that can be written, got {self.path} ({error.strerror}); choose another."
            ) from error
        if others:
            raise FileError(
                f"Expected a new or empty folder for the run, got {self.path}, which holds {others[0]}; choose another."
            )
        atomic_write(self._config, json.dumps({"pairs": pairs, "settings": settings.to_dict()}, indent=2).encode())

    def origin(self) -> tuple[TrainSettings, str]:
        """Read the settings the run was started with, and where its pairs came from.

        Raises
        ------
        TrainingError
            If the folder holds no run, or its settings are damaged.
        """
        if not self._config.exists():
            raise TrainingError(
                f"Expected a run to resume in {self.path}, got no config.json; start it without --resume."
            )
        try:
            values = json.loads(self._config.read_bytes())
            return TrainSettings.from_dict(values["settings"]), str(values["pairs"])
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise TrainingError(
                f"Expected the settings of a run in {self._config}, got some with a fault ({clause(error)}); "
                "start a new run."
            ) from error

    def log(self, event: Event) -> None:
        """Append an event to ``events.jsonl``."""
        path = self.path / "events.jsonl"
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event.to_dict()) + "\n")

    def save(self, players: Players, progress: Progress) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.checkpoint, *_parts(players), progress=vars(progress))

    def load(self, players: Players) -> Progress:
        """Restore the checkpoint.

        Raises
        ------
        TrainingError
            If there is none.
        """
        if not self.checkpoint.exists():
            raise TrainingError(
                f"Expected the checkpoint {self.checkpoint} to go on from, got none; copy it there or start a new run."
            )
        return Progress(**load_checkpoint(self.checkpoint, *_parts(players)))


def _parts(players: Players) -> tuple[dict[str, Any], dict[str, Any]]:
    networks = {"generator": players.generator, "discriminator": players.discriminator}
    optimizers = {
        "generator-optimizer": players.generator_optimizer,
        "discriminator-optimizer": players.discriminator_optimizer,
    }
    return networks, optimizers
