"""Where a run stands, and the checkpoints it goes on from: the last, and the one before in case that is damaged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_mitostain.errors import ModelError, TrainingError
from napari_mitostain.image.files.failures import writing
from napari_mitostain.model.checkpoint import load_checkpoint, save_checkpoint
from napari_mitostain.training.players import Players
from napari_mitostain.training.run import RunFolder

Scored = Mapping[str, float]


@dataclass
class Progress:
    """How far a run has come.

    Attributes
    ----------
    epoch, batch : int
        The epoch it is in, and the batches of that epoch it has seen; an epoch is over when it is recorded.
    step : int
        Steps since the start.
    seconds : float
        Time spent, over all sessions.
    epoch_seconds : float
        Time that had been spent when the epoch began.
    sums : list of float
        Of the epoch's losses over its steps, in the order of `LOSSES`.
    count : int
        Steps of the epoch.
    parts : int
        Pieces that a batch is cut into because memory does not take it whole.
    validated : dict of str to float
        "epoch" and "seconds" at which the run was validated last, and the "spent" seconds of all validations.
    start : dict, optional
        Scores of the starting model and the baselines, once they are known.
    best : dict, optional
        "epoch" and "scores" of the best epoch so far.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    sums: list[float] = field(default_factory=list)
    count: int = 0
    parts: int = 1
    validated: dict[str, float] = field(default_factory=lambda: {"epoch": 0, "seconds": 0.0, "spent": 0.0})
    start: dict[str, Scored] | None = None
    best: dict[str, Any] | None = None


def save_run(run: RunFolder, players: Players, progress: Progress) -> None:
    """Write the checkpoint; the former one is kept beside it.

    Raises
    ------
    FileError
        If it cannot be written; both checkpoints then stay as they were.
    """
    fresh = run.path / ".checkpoint.partial-new.safetensors"
    try:
        save_checkpoint(fresh, players.networks(), players.optimizers(), asdict(progress))
        with writing(run.checkpoint):
            _keep(run.checkpoint, run.previous)
            fresh.replace(run.checkpoint)
    finally:
        fresh.unlink(missing_ok=True)


def load_run(run: RunFolder, players: Players) -> tuple[Progress, list[str]]:
    """Restore the last checkpoint that is whole.

    Returns
    -------
    Progress
    list of str
        What the user should know: that it was not the last.

    Raises
    ------
    TrainingError
        If there is none.
    ModelError
        If all are damaged.
    """
    there = [path for path in (run.checkpoint, run.previous) if path.exists()]
    if not there:
        raise TrainingError(
            f"Expected the checkpoint {run.checkpoint} to go on from, got none; copy it there or start a new run."
        )
    known = {f.name for f in fields(Progress)}
    faults: list[ModelError] = []
    for path in there:
        try:
            found = load_checkpoint(path, players.networks(), players.optimizers())
        except ModelError as error:
            faults.append(error)
        else:
            progress = Progress(**{name: value for name, value in found.items() if name in known})
            said = f"{run.checkpoint.name} is damaged: the run goes on from the one before, at step {progress.step}."
            return progress, [said] if path != run.checkpoint else []
    raise faults[0]


def _keep(checkpoint: Path, previous: Path) -> None:
    """Give the former checkpoint a second name, so that at no moment there is none."""
    if not checkpoint.exists():
        return
    second = previous.with_name(".checkpoint.partial-former.safetensors")
    second.unlink(missing_ok=True)
    try:
        os.link(checkpoint, second)
    except OSError:  # a file system without second names
        checkpoint.replace(second)
    second.replace(previous)
