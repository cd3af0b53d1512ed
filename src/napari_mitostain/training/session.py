"""One stretch of a run: epochs of steps, checkpoints between them, validation, and the model at the end."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from napari_mitostain.errors import DeviceError, TrainingError
from napari_mitostain.events import EpochDone, Event, Notice, RunStarted, StepDone
from napari_mitostain.model.device import choose_dtype, is_out_of_memory, release_memory
from napari_mitostain.prefetching import prefetched
from napari_mitostain.training.checkpoints import Progress, save_run
from napari_mitostain.training.distributed import ALONE, World
from napari_mitostain.training.epoch_losses import EpochLosses
from napari_mitostain.training.faults import device_there
from napari_mitostain.training.keeping import Keeper, Kept
from napari_mitostain.training.pair import Frames
from napari_mitostain.training.patches import Batch, batches_of_epoch, steps_per_epoch
from napari_mitostain.training.players import Players
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.split import Split
from napari_mitostain.training.stepper import Stepper
from napari_mitostain.training.timetable import Timetable, learning_factor

_CHECKPOINT_SECONDS = 50.0
_CHECKED_STEPS = 8
"""Losses are looked at every so many steps, and before anything is saved: a look waits for the device."""


@dataclass
class Session:
    """One stretch of a run, from its start or a checkpoint to its end or a stop.

    Attributes
    ----------
    run : RunFolder
    config : RunConfig
    players : Players
    progress : Progress
    split : Split
    frames : Frames
    world : World
        Of its processes; all but the first train only.
    remarks : list of str
        Said at the start.
    """

    run: RunFolder
    config: RunConfig
    players: Players
    progress: Progress
    split: Split
    frames: Frames
    world: World = ALONE
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._settings = self.config.settings
        self._losses = EpochLosses(self.players.device, self.progress.sums, self.progress.count)
        self._keeper = Keeper(self.run, self.config, self.players, self.progress, self.split, self.frames)
        steps = steps_per_epoch(self.split.training, self._settings)
        self._timetable = Timetable(self._settings, steps, self._keeper.validator.pixels)
        dtype = choose_dtype(self._settings.precision, self.players.device)
        self._stepper = Stepper(self.players, self._settings, dtype, self.world)
        self._since = self._saved_at = time.monotonic()

    def events(self) -> Generator[Event, None, None]:
        """Train to the end; closing the iterator leaves a checkpoint to go on from."""
        with closing(self._events()) as events:
            while True:
                self._since = time.monotonic()  # the time of whoever drains the events does not count
                event = next(events, None)
                if event is None:
                    return
                self._tick()
                yield event

    def _events(self) -> Generator[Event, None, None]:
        yield self._started()
        for remark in self.remarks:
            yield Notice(message=remark)
        try:
            if self.world.is_main and self.progress.start is None:
                yield from self._keeper.score_start()
                self._save()
            while self._goes_on():
                yield from self._epoch()
                yield from self._close_epoch()
            if self.world.is_main:
                self._save()
                self._stepper.forget()
                yield from self._keeper.finish()
        except GeneratorExit:  # stopped by the caller: go on from here next time
            self._save(is_last=True)
            raise
        finally:
            self._stepper.forget()

    def _epoch(self) -> Iterator[Event]:
        at = self.progress
        if self._timetable.is_over(at):  # all but its validation, before the run was stopped
            return
        batches = batches_of_epoch(self.split.training, self._settings, at.epoch, self.frames, at.batch)
        with closing(prefetched(batches)) as ahead:
            for batch in ahead:
                notices = self._step(batch)
                at.batch, at.step, at.count = batch.number + 1, at.step + 1, self._losses.count
                self._tick()
                at.seconds = self._timetable.agreed(at.seconds, self.world, self.players.device)
                self._look_now_and_then()
                yield from notices
                yield StepDone(step=at.step, fraction=self._timetable.fraction(at))
                if self._timetable.is_over(at):
                    break
        if not self._losses.count:
            raise TrainingError(
                f"Expected crops with at least {self._settings.minimum_area:.0%} of mitochondria, got none; lower the "
                "minimum area."
            )

    def _step(self, batch: Batch) -> list[Notice]:
        """Take a step; where memory does not take the batch, in ever smaller pieces."""
        notices: list[Notice] = []  # for after the step: who stops the run on hearing them would stop it in the middle
        at, settings = self.progress, self._settings
        rate = settings.learning_rate * learning_factor(at.step, self._timetable.fraction(at), settings.schedule)
        self.players.set_learning_rate(rate)
        while True:
            try:
                with device_there("training"):
                    losses = self._stepper.step(batch, at.parts)
                break
            except DeviceError as error:
                if error.__cause__ is None or not is_out_of_memory(error.__cause__):
                    raise
                lack = error
            notices.append(self._smaller(len(batch.brightfield), lack))
        self._losses.add(losses)
        self.players.move_average(settings.ema, at.step)
        return notices

    def _smaller(self, count: int, lack: DeviceError) -> Notice:
        """Cut batches into twice as many pieces from now on."""
        for optimizer in self.players.optimizers().values():
            optimizer.zero_grad(set_to_none=True)
        lack.__cause__ = lack.__traceback__ = None  # they hold the memory of the step that failed
        release_memory(self.players.device)
        parts = 2 * self.progress.parts
        if self.world.size > 1 or self.progress.parts >= count:
            raise DeviceError(
                f"Expected memory for a training step on {self.players.device}, got none left even for "
                f"{-(-count // self.progress.parts)} patch(es) at a time; use a smaller patch, or a smaller batch on "
                "several devices."
            )
        self.progress.parts = parts
        return Notice(
            message=f"Memory does not take {count} patches at a time: from now on a step takes them in {parts} parts "
            "and adds their gradients up."
        )

    def _close_epoch(self) -> Iterator[Event]:
        """Validate and keep the epoch where it is due, and record it."""
        at, kept = self.progress, Kept()
        self._look()
        if self.world.is_main and self._timetable.is_due(at):
            self._save()
            self._stepper.forget()  # validation needs memory, too
            started = time.monotonic()
            kept = yield from self._keeper.validated()
            at.validated = {
                "epoch": at.epoch + 1,
                "seconds": at.seconds,
                "spent": at.validated["spent"] + time.monotonic() - started,
            }
        done = EpochDone(
            epoch=at.epoch,
            fraction=self._timetable.fraction_after(at),
            losses=self._losses.means(),
            scores=kept.found.scores,
            validation_losses=kept.found.losses,
            model=kept.name,
            best=kept.best,
        )
        at.epoch, at.batch = at.epoch + 1, 0
        self._losses = EpochLosses(self.players.device)
        told = at.seconds
        yield done
        at.seconds = told  # a run of minutes ends with the epoch that said so, and validated for it

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._since
        self._since = now

    def _goes_on(self) -> bool:
        """Whether an epoch is to begin, or one that was interrupted to be ended; in all processes alike."""
        at = self.progress
        at.seconds = self._timetable.agreed(at.seconds, self.world, self.players.device)
        if not at.batch:
            at.epoch_seconds = at.seconds
        return self._timetable.goes_on(at)

    def _look_now_and_then(self) -> None:
        if self.progress.step % _CHECKED_STEPS == 0:
            self._look()
        if time.monotonic() - self._saved_at > _CHECKPOINT_SECONDS:
            self._save()

    def _look(self) -> None:
        """Stop where losses or weights are not numbers any more; resumed, the run would come to the same again."""
        if not self._losses.are_finite():
            what = f"losses, got {self._losses.means()}"
        elif not self.players.are_finite():
            what = "weights, got others"
        else:
            return
        start = f" from the best model of this one (--init {self.run.path})" if self.run.model.exists() else ""
        raise TrainingError(
            f"Expected finite {what} at step {self.progress.step}; start a new run with a lower learning rate{start}."
        )

    def _save(self, is_last: bool = False) -> None:
        if is_last and not (self._losses.are_finite() and self.players.are_finite()):
            return  # the former checkpoint is the better one
        self._look()
        self._saved_at = time.monotonic()
        if self.world.is_main:
            self.progress.sums, self.progress.count = self._losses.sums(), self._losses.count
            save_run(self.run, self.players, self.progress)

    def _started(self) -> RunStarted:
        parts = {"training": self.split.training, "validation": self.split.validation}
        parts |= {"test": self.split.test} if self.split.test else {}
        return RunStarted(
            output=str(self.run.path),
            training=len(self.split.training),
            validation=len(self.split.validation),
            acquisitions={part: sorted({pair.acquisition for pair in pairs}) for part, pairs in parts.items()},
        )
