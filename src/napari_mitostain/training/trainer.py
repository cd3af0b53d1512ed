"""Train a generator: pairs in, events out, a model in the run's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import ImageError, TrainingError
from napari_mitostain.events import Event, StepDone
from napari_mitostain.model.device import choose_device
from napari_mitostain.model.loading import Model
from napari_mitostain.training.pairs import Pair, load_pairs, measured_pairs, split_pairs
from napari_mitostain.training.run import Progress, RunFolder
from napari_mitostain.training.session import Session
from napari_mitostain.training.step import new_players


def train(
    pairs: Path | str | Sequence[Pair],
    output: Path | str,
    settings: TrainSettings,
    init: Model | None = None,
    resume: bool = False,
) -> Iterator[Event]:
    """Train a generator against a discriminator.

    Parameters
    ----------
    pairs : Path or sequence of Pair
        A folder with ``brightfield/`` and ``mitochondria/``, or pairs already loaded.
    output : Path
        Folder of the run; its ``model.safetensors`` is what `load_model` takes.
    settings : TrainSettings
        Ignored when resuming: the run has its own.
    init : Model, optional
        Generator to start from, whose width and depth replace those of the settings; by default an untrained one.
    resume : bool
        Go on from the run's last checkpoint.

    Yields
    ------
    Event
        `RunStarted`, `StepDone` after each step, `EpochDone`, `Notice`, and at the end `RunDone`. Closing the iterator
        stops the run at a checkpoint.

    Raises
    ------
    TrainingError, FileError, ImageError, DeviceError, ModelError
    """
    run = RunFolder(Path(output))
    settings = run.settings() if resume else _for_generator(settings, init)
    loaded = load_pairs(Path(pairs)) if isinstance(pairs, (str, Path)) else list(pairs)
    _require_patches(loaded, settings)
    training, validation = split_pairs(measured_pairs(loaded, settings.weighting.scope), settings)
    players = new_players(settings).to(choose_device(settings.device))
    if not resume:
        if init is not None:
            players.generator.load_state_dict(init.generator.state_dict())
        run.create(settings, str(pairs) if isinstance(pairs, (str, Path)) else "given pairs")
        run.save(players, Progress())  # a run that stops early resumes from the same start
    progress = run.load(players)
    with closing(Session(run, settings, players, progress, training, validation).events()) as events:
        for event in events:
            if not isinstance(event, StepDone):
                run.log(event)
            yield event


def _for_generator(settings: TrainSettings, init: Model | None) -> TrainSettings:
    """Give the settings the width and depth of the generator to start from."""
    if init is None:
        return settings
    return replace(settings, base_channels=init.generator.base_channels, depth=init.generator.depth)


def _require_patches(pairs: Sequence[Pair], settings: TrainSettings) -> None:
    if not pairs:
        raise TrainingError("Expected at least one pair, got none; put images into brightfield/ and mitochondria/.")
    for pair in pairs:
        if min(pair.target.shape) < settings.patch:
            raise ImageError(
                f"Expected images of at least {settings.patch}×{settings.patch} pixels, got {pair.target.shape} "
                f"for {pair.name}; use a smaller patch or larger images."
            )
