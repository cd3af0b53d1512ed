"""Train a generator: pairs in, events out, a model in the run's folder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.events import PASSING, Event
from napari_mitostain.model.card import SAME_SIZE
from napari_mitostain.model.device import choose_device
from napari_mitostain.model.loading import Model
from napari_mitostain.training.check import Checked, check_pairs
from napari_mitostain.training.checkpoints import Progress, load_run, save_run
from napari_mitostain.training.distributed import World, joined
from napari_mitostain.training.faults import device_there, folder_there, release_memory
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import Opened, open_pairs
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.registry import remember
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.session import Session
from napari_mitostain.training.spec import PairsSpec, pairs_in

_IN_MEMORY = "given pairs"
_LENGTHS = ("epochs", "minutes")

Pairs = PairsSpec | Path | str | Opened | Sequence[Pair]
"""Where pairs may come from."""


def train(
    pairs: Pairs | None,
    output: Path | str,
    settings: TrainSettings,
    init: Model | None = None,
    resume: bool = False,
) -> Iterator[Event]:
    """Train a generator, against a discriminator if the settings say so.

    Under ``torchrun`` each process trains on its share of every batch, and only the first says events and writes.

    Parameters
    ----------
    pairs : PairsSpec, Path or sequence of Pair, optional
        Files or folders, a folder with ``brightfield/`` and ``mitochondria/``, or pairs already opened. None resumes a
        run with the pairs that it has recorded.
    output : Path
        Folder of the run, or of the run to go on with; it is also a model that `load_model` takes.
    settings : TrainSettings
        When resuming, the run keeps its own; where these differ, a `Notice` says so.
    init : Model, optional
        Generator to start from, whose width, depth and scaling replace those of the settings; by default an untrained
        one.
    resume : bool
        Go on from the run's last checkpoint.

    Yields
    ------
    Event
        `Measured` and `Finding` of the check of the pairs, `RunStarted`, `Notice`, `StartScored`; then `StepDone` after
        each step, `Measured` after each pair that is scored, `EpochDone`; in the end `RunDone`. Closing the iterator
        stops the run at a checkpoint.

    Raises
    ------
    TrainingError, FileError, ImageError, DeviceError, ModelError, SettingsError
        Before anything is written, if the check finds an error.
    """
    with joined(choose_device(settings.device)) as (world, device):
        try:
            start = _Start(RunFolder(Path(output)), settings, init, world, device)
            with device_there("training"), closing(start.train(pairs, resume)) as events:
                for event in events:
                    if world.is_main:
                        yield event
        finally:
            release_memory(device)


@dataclass
class _Start:
    """Everything between a call of `train` and the first step of its session."""

    run: RunFolder
    settings: TrainSettings
    init: Model | None
    world: World
    device: torch.device

    def train(self, pairs: Pairs | None, resume: bool) -> Generator[Event, None, None]:
        with ExitStack() as held:
            if resume:
                config, remarks = self._recorded(pairs)
                held.enter_context(self._lock())
            else:
                self.run.require_free()
                config, remarks = self._config(pairs), list[str]()
            opened = self._opened(pairs, config)
            frames = Frames()
            checked = yield from check_pairs(opened, config.settings, self.init, frames)
            if checked.errors or checked.split is None:
                raise TrainingError(checked.errors[0].message)
            players = new_players(config.settings).to(self.device)
            if not resume:
                config = _with_pixel_size(config, checked.pairs)
                self._create(players, config, held)
            self.world.wait()
            held.enter_context(folder_there(self.run.path))
            progress, said = load_run(self.run, players)
            if self.world.is_main:
                remember(self.run.path)
                self.run.tidy()
                self.run.rewind(progress.epoch, progress.start is not None)
                for finding in () if resume else checked.findings:
                    self.run.log(finding)
            session = Session(
                self.run, config, players, progress, checked.split, frames, self.world, remarks + said + _of(checked)
            )
            events = held.enter_context(closing(session.events()))
            for event in events:
                if self.world.is_main and not isinstance(event, PASSING):
                    self.run.log(event)
                yield event

    def _lock(self) -> AbstractContextManager[None]:
        return self.run.lock() if self.world.is_main else nullcontext()

    def _config(self, pairs: Pairs | None) -> RunConfig:
        """Return what a new run is told, with the width and depth of the generator it starts from."""
        if pairs is None:
            raise TrainingError("Expected pairs for a new run, got none; choose them, or a run to resume.")
        spec = _spec(pairs)
        source = _IN_MEMORY if spec is None else str(spec.brightfield.parent.resolve())
        if self.init is None:
            return RunConfig(self.settings, spec, source)
        network, card = self.init.generator, self.init.card
        settings = replace(self.settings, base_channels=network.base_channels, depth=network.depth)
        return RunConfig(settings, spec, source, card.name, self.init.sha256, card.data, card.scaling)

    def _recorded(self, pairs: Pairs | None) -> tuple[RunConfig, list[str]]:
        """Read what a run was told, and say in what it does not follow, or no longer fits, what it is given now."""
        config = self.run.config()
        before, now = config.settings.to_dict(), self.settings.to_dict()
        names = [name for name in before if before[name] != now[name] and (now[name] is not None or name in _LENGTHS)]
        changed = [f"{name} {before[name]} and not {now[name]}" for name in names]
        remarks = [f"The run keeps its own settings: {', '.join(changed)}."] if changed else []
        spec = None if pairs is None else _spec(pairs)
        if spec is not None and (config.pairs is None or spec.to_dict() != config.pairs.to_dict()):
            found = str(spec.brightfield.parent.resolve())
            remarks.append(f"The run was started on other pairs: {config.source}; it goes on with {found}.")
        return config, remarks

    def _opened(self, pairs: Pairs | None, config: RunConfig) -> Opened:
        if pairs is None or isinstance(pairs, (str, Path, PairsSpec)):
            spec = config.pairs if pairs is None else _spec(pairs)
            if spec is None:
                raise TrainingError(
                    f"Expected the pairs of {self.run.path}, which was started on images in memory, got none; give "
                    "them again."
                )
            return open_pairs(spec, config.scaling)
        return pairs if isinstance(pairs, Opened) else Opened(list(pairs))

    def _create(self, players: Players, config: RunConfig, held: ExitStack) -> None:
        """Make the folder a run; its config is written last, so that what has one can be resumed."""
        if self.init is not None:
            players.start_from(dict(self.init.generator.state_dict()))
        if self.world.is_main:
            self.run.prepare()
            held.enter_context(self._lock())
            save_run(self.run, players, Progress())
            self.run.write_config(config)


def _spec(pairs: Pairs) -> PairsSpec | None:
    """Return where pairs are; None for those in memory."""
    if isinstance(pairs, (str, Path)):
        return pairs_in(Path(pairs))
    return pairs if isinstance(pairs, PairsSpec) else None


def _of(checked: Checked) -> list[str]:
    """Say how the pairs were split."""
    split = checked.split
    assert split is not None
    said = [split.sentence] if split.sentence else []
    return said + ([] if split.validation else ["No pair is held out: this run has no validation scores."])


def _with_pixel_size(config: RunConfig, pairs: Sequence[Pair]) -> RunConfig:
    """Take the pixel size of the pairs where the settings give none and all files tell the same."""
    sizes = [pair.pixel_size for pair in pairs]
    if config.settings.pixel_size_um is not None or None in sizes or not sizes:
        return config
    known = sorted(size for size in sizes if size is not None)
    if known[-1] > known[0] * (1 + SAME_SIZE):
        return config
    return replace(config, settings=replace(config.settings, pixel_size_um=known[len(known) // 2]))
