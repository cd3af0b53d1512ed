"""Train a generator: pairs in, events out, a model in the run's folder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.events import PASSING, Event, Finding
from napari_mitostain.model.card import SAME_SIZE
from napari_mitostain.model.device import choose_device, release_memory
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.training.check import Checked, check_pairs
from napari_mitostain.training.checkpoints import Progress, load_run, save_run
from napari_mitostain.training.distributed import World, joined
from napari_mitostain.training.faults import device_there, folder_there
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import Opened, open_pairs
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.registry import remember
from napari_mitostain.training.resuming import open_recorded, recorded, required
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.run_pairs import RunPairs, write_run_pairs
from napari_mitostain.training.session import Session
from napari_mitostain.training.spec import PairsSpec, pairs_in, source_of
from napari_mitostain.training.split import Split

_IN_MEMORY = "given pairs"

Pairs = PairsSpec | Path | str | Opened | Sequence[Pair]
"""Where pairs may come from."""


def train(
    pairs: Pairs | None,
    output: Path | str,
    settings: TrainSettings,
    init: Model | str | Path | None = None,
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
    init : Model, str or Path, optional
        Generator to start from, or what `load_model` finds it by; its width, depth and scaling replace those of the
        settings. By default an untrained one.
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
            model = load_model(init) if isinstance(init, (str, Path)) else init
            start = _Start(RunFolder(Path(output)), settings, model, world, device)
            with device_there("training"), closing(start.train(pairs, resume)) as events:
                for event in events:
                    if world.is_main:
                        yield event
        finally:
            release_memory(device)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a session starts from: a new run, or one that goes on."""

    config: RunConfig
    players: Players
    split: Split
    remarks: list[str]
    findings: Sequence[Finding]


@dataclass
class _Start:
    """Everything between a call of `train` and the first step of its session."""

    run: RunFolder
    settings: TrainSettings
    init: Model | None
    world: World
    device: torch.device

    def train(self, pairs: Pairs | None, resume: bool) -> Generator[Event, None, None]:
        frames = Frames()
        with ExitStack() as held:
            begun = yield from (self._resumed if resume else self._new)(pairs, frames, held)
            self.world.wait()
            held.enter_context(folder_there(self.run.path))
            progress, said = load_run(self.run, begun.players)
            if self.world.is_main:
                remember(self.run.path)
                self.run.tidy()
                self.run.rewind(progress.epoch, progress.start is not None)
                for finding in begun.findings:
                    self.run.log(finding)
            remarks = begun.remarks + said + _of(begun.split)
            session = Session(self.run, begun.config, begun.players, progress, begun.split, frames, self.world, remarks)
            events = held.enter_context(closing(session.events()))
            for event in events:
                if self.world.is_main and not isinstance(event, PASSING):
                    self.run.log(event)
                yield event

    def _new(self, pairs: Pairs | None, frames: Frames, held: ExitStack) -> Generator[Event, None, _Begun]:
        """Check the pairs, and make the folder a run."""
        self.run.require_free()
        config = self._config(pairs)
        opened = _given(pairs) or open_pairs(required(self.run, config.pairs), config.scaling)
        checked, split = yield from self._checked(opened, config.settings, frames)
        players = self._players(config)
        config = _with_pixel_size(config, checked.pairs)
        self._create(players, config, RunPairs.of(opened, split), held)
        return _Begun(config, players, split, [], checked.findings)

    def _resumed(self, pairs: Pairs | None, frames: Frames, held: ExitStack) -> Generator[Event, None, _Begun]:
        """Take what the run has recorded; only where its split is not recorded, the pairs are checked again."""
        self.world.wait()  # the first process may have made the run longer before it came here
        given = _given(pairs)
        told = recorded(self.run, self.settings, _spec(pairs), given)
        held.enter_context(self._lock())
        found = open_recorded(self.run, told, given)
        if found is None:
            opened = given or open_pairs(required(self.run, told.spec), told.config.scaling)
            _, split = yield from self._checked(opened, told.config.settings, frames)
            if self.world.is_main and not told.is_elsewhere:
                write_run_pairs(self.run.pairs, RunPairs.of(opened, split))
            found = split, []
        split, said = found
        return _Begun(told.config, self._players(told.config), split, told.remarks + said, [])

    def _checked(
        self, opened: Opened, settings: TrainSettings, frames: Frames
    ) -> Generator[Event, None, tuple[Checked, Split]]:
        checked = yield from check_pairs(opened, settings, self.init, frames)
        if checked.errors or checked.split is None:
            raise TrainingError(checked.errors[0].message)
        return checked, checked.split

    def _players(self, config: RunConfig) -> Players:
        return new_players(config.settings).to(self.device)

    def _lock(self) -> AbstractContextManager[None]:
        return self.run.lock() if self.world.is_main else nullcontext()

    def _config(self, pairs: Pairs | None) -> RunConfig:
        """Return what a new run is told, with the width and depth of the generator it starts from."""
        if pairs is None:
            raise TrainingError("Expected pairs for a new run, got none; choose them, or a run to resume.")
        spec = _spec(pairs)
        source = _IN_MEMORY if spec is None else source_of(spec, self.run.path)
        if self.init is None:
            return RunConfig(self.settings, spec, source)
        network, card = self.init.generator, self.init.card
        settings = replace(self.settings, base_channels=network.base_channels, depth=network.depth)
        return RunConfig(settings, spec, source, card.name, self.init.sha256, card.data, card.scaling)

    def _create(self, players: Players, config: RunConfig, pairs: RunPairs, held: ExitStack) -> None:
        """Make the folder a run; its config is written last, so that what has one can be resumed."""
        if self.init is not None:
            players.start_from(dict(self.init.generator.state_dict()))
        if self.world.is_main:
            self.run.prepare()
            held.enter_context(self._lock())
            save_run(self.run, players, Progress())
            write_run_pairs(self.run.pairs, pairs)
            self.run.write_config(config)


def _spec(pairs: Pairs | None) -> PairsSpec | None:
    """Return where pairs are; None for those in memory."""
    if isinstance(pairs, (str, Path)):
        return pairs_in(Path(pairs))
    return pairs if isinstance(pairs, PairsSpec) else None


def _given(pairs: Pairs | None) -> Opened | None:
    """Return pairs that are in memory."""
    if pairs is None or isinstance(pairs, (str, Path, PairsSpec)):
        return None
    return pairs if isinstance(pairs, Opened) else Opened(list(pairs))


def _of(split: Split) -> list[str]:
    """Say how the pairs were split."""
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
