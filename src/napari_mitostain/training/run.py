"""A training run is a folder: what it was told, what it said, where it can go on, what it made. Loads no torch.

config.json               settings, where the pairs are, the model it started from
pairs.json                which pairs train, validate and test
events.jsonl              what it said, one event a line
epochs.csv                losses and scores, one epoch a line
checkpoint.safetensors    everything to go on with; checkpoint.previous.safetensors is the one before
model.safetensors, .json  the best epoch so far
models/                   the generator of every validated epoch
previews/                 fixed crops, and how every validated epoch stains them
pairs/                    images that were in no file when the run began
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from napari_mitostain.errors import FileError, MitostainError, SettingsError
from napari_mitostain.events import Event, Notice, RunDone
from napari_mitostain.image.files.atomic import discard
from napari_mitostain.image.files.failures import writing
from napari_mitostain.model.library import MODEL_OF_RUN
from napari_mitostain.training.previews import PreviewFolder, Previews
from napari_mitostain.training.run_config import RunConfig, read_config, write_config
from napari_mitostain.training.run_lock import is_locked, locked
from napari_mitostain.training.run_log import RunLog, is_beginning, is_whole

CONFIG = "config.json"

State = Literal["running", "finished", "unfinished", "damaged"]

_EPOCH = re.compile(r"epoch-(\d+)\.(safetensors|json|tif)")


class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / MODEL_OF_RUN
        self.checkpoint = path / "checkpoint.safetensors"
        self.previous = path / "checkpoint.previous.safetensors"
        self.pairs = path / "pairs.json"
        self.models = path / "models"
        self.previews = PreviewFolder(path / "previews")
        self._log = RunLog(path)
        self._config = path / CONFIG

    def prepare(self) -> None:
        """Make the folder, unless there is something in it that would be mixed up with a run.

        Raises
        ------
        FileError
            If it holds a run or other files already, or cannot be written.
        """
        self.require_free()
        with _folder(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def require_free(self) -> None:
        """See that a run may be started in the folder; nothing is made.

        Raises
        ------
        FileError
            If it holds a run or other files already.
        """
        if self._config.exists():
            raise FileError(
                f"Expected a new folder for the run, got {self.path}, which holds one; use --resume or another."
            )
        with _folder(self.path):
            paths = sorted(self.path.iterdir()) if self.path.exists() else []
        if others := [path.name for path in paths if not (self._is_own(path) or self._is_left(path))]:
            raise FileError(
                f"Expected a new or empty folder for the run, got {self.path}, which holds {others[0]}; choose another."
            )

    def _is_own(self, path: Path) -> bool:
        """Tell whether something may lie in a folder before it is a run: hidden files, images stored for it."""
        return path.name.startswith(".") or (path.name == "pairs" and path.is_dir())

    def _is_left(self, path: Path) -> bool:
        """Tell whether a run that was killed before it had its config left a file: nothing is lost with it."""
        if path == self.pairs:  # written after the checkpoint
            return is_beginning(self.checkpoint)
        return path in (self.checkpoint, self.previous) and is_beginning(path)

    def write_config(self, config: RunConfig) -> None:
        """Write what the run is told; a folder with this file is a run."""
        write_config(self._config, config)

    def config(self) -> RunConfig:
        """Read what the run was started with.

        Raises
        ------
        TrainingError
            If the folder holds no run, or its settings are damaged.
        """
        return read_config(self._config)

    def state(self) -> State:
        """Tell whether a live process trains the run, and if not, whether it is complete."""
        if is_locked(self.path):
            return "running"
        try:
            self.config()
        except MitostainError:
            return "damaged"
        if not any(is_whole(path) for path in (self.checkpoint, self.previous)):
            return "damaged"
        said = self.history()
        return "finished" if said and said[-1]["event"] == RunDone.__name__ and self.model.exists() else "unfinished"

    def history(self) -> list[dict[str, Any]]:
        """Return the events of the run so far, as `Event.to_dict` made them; a line that is torn does not count."""
        return self._log.read()

    def log(self, event: Event) -> None:
        """Append an event to ``events.jsonl``, and an epoch to ``epochs.csv``."""
        self._log.append(event)

    def rewind(self, epoch: int, is_scored: bool) -> None:
        """Forget what was said, kept and shown after a checkpoint, since the run will do so again.

        Parameters
        ----------
        epoch : int
            The first that is not over at the checkpoint.
        is_scored : bool
            Whether the start was scored before it.
        """
        self._log.rewind(epoch, is_scored)
        for path in [*self.models.glob("epoch-*"), *self.previews.path.glob("epoch-*")]:
            if (match := _EPOCH.fullmatch(path.name)) and int(match[1]) >= epoch:
                with suppress(OSError):  # whoever looks at it may hold it; it will be written over
                    path.unlink()

    def kept(self) -> dict[int, Path]:
        """Return the epochs whose generators are kept, and the weights of each, which `load_model` takes."""
        found = {int(m[1]): path for path in self.models.glob("*.safetensors") if (m := _EPOCH.fullmatch(path.name))}
        return {epoch: found[epoch] for epoch in sorted(found) if found[epoch].with_suffix(".json").is_file()}

    def place_for(self, epoch: int) -> Path:
        """Return where to keep an epoch's generator."""
        with writing(self.models):
            self.models.mkdir(exist_ok=True)
        return self.models / f"epoch-{epoch:04d}.safetensors"

    def preview_images(self) -> Previews | None:
        """Return the previews so far; None before the first."""
        return self.previews.read()

    def extend(self, epochs: int | None = None, minutes: float | None = None, in_all: bool = False) -> None:
        """Let a run go on for longer when it is next resumed; its learning rate then is that of the longer run.

        Parameters
        ----------
        epochs : int, optional
            To add to a run of so many epochs.
        minutes : float, optional
            To add to a run of so many minutes.
        in_all : bool
            Whether it is told how long the run is to be in all, and not what to add; no run becomes shorter.

        Raises
        ------
        TrainingError
            If the run is counted otherwise, or is running.
        """
        self.config()  # else the lock would make a folder where there is no run
        with self.lock():
            config = self.config()
            own, given = config.settings, {"epochs": epochs, "minutes": minutes}
            unit = "epochs" if own.epochs is not None else "minutes"
            wanted = given[unit]
            if not wanted or sum(value is not None for value in given.values()) != 1:
                raise SettingsError(f"Expected more {unit} for a run counted in {unit}, got {given}; give {unit}.")
            before = getattr(own, unit)
            longer = replace(own, **{unit: max(before, wanted + (0 if in_all else before))})
            if longer == own:
                return
            more = getattr(longer, unit) - before
            self.write_config(replace(config, settings=longer))
            self.log(Notice(message=f"Continued for {more:g} more {unit}, {getattr(longer, unit):g} in all."))

    def lock(self) -> AbstractContextManager[None]:
        """Keep others from training the run; see `locked`."""
        return locked(self.path)

    def tidy(self) -> None:
        """Remove the beginnings of files that a killed process left."""
        for folder in (self.path, self.models, self.previews.path):
            for partial in folder.glob(".*.partial-*"):
                discard(partial)


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Say that a folder cannot be made or looked into."""
    try:
        yield
    except OSError as error:
        raise FileError(
            f"Expected a folder that can be written, got {path} ({error.strerror}); choose another."
        ) from error
