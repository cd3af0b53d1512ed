"""Train a generator: pairs in, events out, a model in the run's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import ImageError, TrainingError
from napari_mitostain.events import PASSING, Event
from napari_mitostain.image import sides
from napari_mitostain.model.device import choose_device
from napari_mitostain.model.loading import Model
from napari_mitostain.training.check import check_pairs
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import Opened, open_pairs
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
        When resuming, the run keeps its own; where these differ, a `Notice` says so.
    init : Model, optional
        Generator to start from, whose width and depth replace those of the settings; by default an untrained one.
    resume : bool
        Go on from the run's last checkpoint.

    Yields
    ------
    Event
        `RunStarted`, `Notice`, `StepDone` after each step, `Measured` after each pair that is scored, `EpochDone`, and
        at the end `RunDone`. Closing the iterator stops the run at a checkpoint.

    Raises
    ------
    TrainingError, FileError, ImageError, DeviceError, ModelError
    """
    run = RunFolder(Path(output))
    source = str(Path(pairs).resolve()) if isinstance(pairs, (str, Path)) else "given pairs"
    settings, remarks = _for_generator(settings, init), list[str]()
    if resume:
        kept, former = run.origin()
        remarks, settings = _differences(kept, settings, former, source), kept
    found = open_pairs(Path(pairs)) if isinstance(pairs, (str, Path)) else Opened(list(pairs))
    _require_patches(found.pairs, settings)
    frames = Frames()
    checked = yield from check_pairs(found, settings, init, frames)
    if checked.errors or checked.split is None:
        raise TrainingError(" ".join(finding.message for finding in checked.errors))
    training, validation = checked.split.training, checked.split.validation
    players = new_players(settings).to(choose_device(settings.device))
    if not resume:
        if init is not None:
            players.generator.load_state_dict(init.generator.state_dict())
        run.create(settings, source)
        run.save(players, Progress())  # a run that stops early resumes from the same start
    progress = run.load(players)
    session = Session(run, settings, players, progress, training, validation, frames, source, remarks)
    with closing(session.events()) as events:
        for event in events:
            if not isinstance(event, PASSING):
                run.log(event)
            yield event


def _differences(kept: TrainSettings, given: TrainSettings, former: str, source: str) -> list[str]:
    """Say in what a run that goes on does not follow, or no longer fits, what it is given."""
    before, now = kept.to_dict(), given.to_dict()
    changed = [f"{name} {before[name]} and not {now[name]}" for name in before if before[name] != now[name]]
    remarks = [f"The run keeps its own settings: {', '.join(changed)}."] if changed else []
    if former != source:
        remarks.append(f"The run was started on other pairs: {former}; it goes on with {source}.")
    return remarks


def _for_generator(settings: TrainSettings, init: Model | None) -> TrainSettings:
    """Give the settings the width and depth of the generator to start from."""
    if init is None:
        return settings
    return replace(settings, base_channels=init.generator.base_channels, depth=init.generator.depth)


def _require_patches(pairs: Sequence[Pair], settings: TrainSettings) -> None:
    if not pairs:
        raise TrainingError("Expected at least one pair, got none; put images into brightfield/ and mitochondria/.")
    for pair in pairs:
        if min(pair.shape) < settings.patch:
            raise ImageError(
                f"Expected images of at least {settings.patch}×{settings.patch} pixels, got {sides(pair.shape)} "
                f"for {pair.name}; use a smaller patch or larger images."
            )
