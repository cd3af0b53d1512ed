"""What the fine-tuning widget's threads do: check pairs, train a run, go on with one."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING, cast

from filelock import FileLock, Timeout

from napari_mitostain._qt.layer_pairs import LayerPairs, pairs_of, spec_of
from napari_mitostain._qt.stain_job import a_core_left_to_the_viewer
from napari_mitostain.config import Device, ScalingSettings, TrainSettings
from napari_mitostain.errors import FileError, MitostainError, TrainingError
from napari_mitostain.events import Event, Finding
from napari_mitostain.training.spec import PairsSpec

if TYPE_CHECKING:
    from napari_mitostain.model.loading import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsChecked(Event):
    """The check is over.

    Attributes
    ----------
    pairs : int
        That can be used.
    sentence : str
        How they are split; empty where there is an error.
    """

    pairs: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchLoaded(Event):
    """The devices of this machine are known, best first: torch, which knows them, is loaded by now."""

    devices: tuple[Device, ...]


@dataclass(frozen=True)
class TunePlan:
    """Everything a job needs, taken from the viewer before it starts.

    Attributes
    ----------
    pairs : PairsSpec or LayerPairs
    model : str
        "" for an untrained generator.
    settings : TrainSettings
    output : Path
        Folder of the run; a check has none.
    """

    pairs: PairsSpec | LayerPairs
    model: str
    settings: TrainSettings
    output: Path = field(default_factory=Path)


def check_job(plan: TunePlan) -> Generator[Event, None, None]:
    """Check the pairs of a plan; what goes wrong is a finding, too.

    Yields
    ------
    Event
        `TorchLoaded`, those of `check_pairs`, and `PairsChecked`.
    """
    try:
        with _memory_given_back(), a_core_left_to_the_viewer():
            yield from _checked(plan)
    except MitostainError as error:
        yield Finding(severity="error", message=str(error))
        yield PairsChecked(pairs=0, sentence="")


def _checked(plan: TunePlan) -> Generator[Event, None, None]:
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.training.check import check_pairs
    from napari_mitostain.training.faults import device_there
    from napari_mitostain.training.pair import Frames

    yield _torch_loaded()
    model = load_model(plan.model) if plan.model else None
    opened = pairs_of(plan.pairs, model.card.scaling if model is not None else ScalingSettings())
    with device_there("the check of the pairs"):
        checked = yield from check_pairs(opened, plan.settings, model, Frames())
    yield PairsChecked(pairs=len(checked.pairs), sentence=checked.split.sentence if checked.split is not None else "")


def tune_job(plan: TunePlan) -> Generator[Event, None, None]:
    """Train a new run; layers that have no file are stored in its folder first.

    Closing it leaves a checkpoint within a step.

    Yields
    ------
    Event
        `TorchLoaded`, `Measured` while layers are stored, then those of `train`.
    """
    with _alone(plan.output), _memory_given_back(), a_core_left_to_the_viewer():
        try:
            yield from _begun(plan)
        finally:
            _drop_without_run(plan.output)


def _begun(plan: TunePlan) -> Generator[Event, None, None]:
    from napari_mitostain.model.loading import load_model

    yield _torch_loaded()
    model = load_model(plan.model) if plan.model else None
    pairs = plan.pairs if isinstance(plan.pairs, PairsSpec) else (yield from spec_of(plan.pairs, plan.output))
    with closing(_trained(pairs, plan.output, plan.settings, model)) as events:
        yield from events


def resume_job(path: Path, longer: float = 0.0) -> Generator[Event, None, None]:
    """Go on with a run from its last checkpoint.

    Parameters
    ----------
    path : Path
        Of the run.
    longer : float
        Epochs or minutes, whatever the run is counted in, that it is to go on beyond its end.

    Yields
    ------
    Event
        `TorchLoaded`, then those of `train`.
    """
    from napari_mitostain.training.run import RunFolder

    with _alone(path), _memory_given_back(), a_core_left_to_the_viewer():
        yield _torch_loaded()
        run = RunFolder(path)
        if longer:
            in_epochs = run.config().settings.epochs is not None
            run.extend(round(longer) if in_epochs else None, None if in_epochs else longer)
        with closing(_trained(None, path, run.config().settings, resume=True)) as events:
            yield from events


def _trained(
    pairs: PairsSpec | None, output: Path, settings: TrainSettings, init: Model | None = None, resume: bool = False
) -> Generator[Event, None, None]:
    from napari_mitostain.training.trainer import train

    return cast("Generator[Event, None, None]", train(pairs, output, settings, init, resume))


def _drop_without_run(output: Path) -> None:
    """Remove the copies of layers that no run came of."""
    from napari_mitostain.training.run import CONFIG

    if not (output / CONFIG).exists():
        shutil.rmtree(output / "pairs", ignore_errors=True)
        with suppress(OSError):  # it is not there, or holds something else
            output.rmdir()


def _torch_loaded() -> TorchLoaded:
    from napari_mitostain.model.device import available_devices

    return TorchLoaded(devices=tuple(available_devices()))


@contextmanager
def _memory_given_back() -> Iterator[None]:
    """Give the memory of the GPU back afterwards, whatever happens: a run that pauses holds none."""
    import torch

    try:
        yield
    except Exception as error:
        clear_frames(error.__traceback__)  # which would keep networks alive as long as the error
        raise
    finally:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            gc.collect()  # it holds the viewer up for a moment, so only where there is something to give back
            with suppress(RuntimeError):  # of a GPU that is lost, which the error that ends the job says
                torch.cuda.empty_cache()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let no other viewer of this computer train meanwhile: two runs at once are both slow, and neither is smooth."""
    from napari_mitostain.training.registry import runs_folder

    place = runs_folder() / ".viewer.lock"
    told = runs_folder() / ".viewer.run"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        lock.acquire(timeout=0)
    except Timeout as error:
        other = told.read_text(encoding="utf-8") if told.is_file() else "another run"
        raise TrainingError(
            f"Expected no other run to train in napari on this computer, got {other}; pause or stop it first."
        ) from error
    except OSError as error:
        raise FileError(
            f"Expected a folder for runs that can be written, got {place.parent} ({error.strerror}); free it."
        ) from error
    try:
        with suppress(OSError):
            told.write_text(path.name, encoding="utf-8")
        yield
    finally:
        lock.release()
