"""One stretch of a run: epochs of steps, checkpoints between them, validation, and the model at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from napari_mitostain.config import StainSettings, TrainSettings
from napari_mitostain.errors import DeviceError, TrainingError
from napari_mitostain.events import EpochDone, Event, Measured, Notice, RunDone, RunStarted, StepDone
from napari_mitostain.model.card import Card
from napari_mitostain.model.device import choose_dtype, is_out_of_memory
from napari_mitostain.model.loading import Model, save_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.prefetching import prefetched
from napari_mitostain.scoring import mean_scores, score
from napari_mitostain.tiling import plan_tiles, stitched
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.patches import batches_of_epoch, steps_per_epoch
from napari_mitostain.training.run import Progress, RunFolder
from napari_mitostain.training.step import Players, train_step

_CHECKPOINT_SECONDS = 50.0
_WARM_UP_STEPS = 30
_VALIDATIONS = 10
"""How often a run is scored on its validation pairs."""


@dataclass
class Session:
    """One stretch of a run, from its start or a checkpoint to its end or a stop.

    `source` is where the pairs came from, for the card; `remarks` are said at the start.
    """

    run: RunFolder
    settings: TrainSettings
    players: Players
    progress: Progress
    training: list[Pair]
    validation: list[Pair]
    frames: Frames
    source: str
    remarks: list[str] = field(default_factory=list)
    saved_at: float = field(default_factory=time.monotonic)

    def events(self) -> Generator[Event, None, None]:
        """Train to the end; closing the iterator leaves a checkpoint to go on from."""
        yield self._started()
        yield from (Notice(message=remark) for remark in self.remarks)
        if self.settings.split == "patch":
            yield Notice(
                message="Split by patch: crops of one field train and validate, so validation scores are too good."
            )
        elif not self.validation:
            yield Notice(message="No acquisition is held out: this run has no validation scores.")
        scores: dict[str, float] = {}
        try:
            while (fraction := self._fraction()) < 1:
                losses = _Means()
                yield from self._epoch(losses)
                scores = {}
                if int(self._fraction() * _VALIDATIONS) > int(fraction * _VALIDATIONS):  # the last epoch always is
                    self._save()
                    scores = yield from self._validated()
                yield EpochDone(
                    epoch=self.progress.epoch - 1, fraction=self._fraction(), losses=losses.values(), scores=scores
                )
            scores = scores or (yield from self._validated())  # of a run that had ended but for its model
        except GeneratorExit:  # stopped by the caller: go on from here next time
            self._save()
            raise
        save_model(self._model(scores), self.run.model)
        yield RunDone(model=str(self.run.model), scores=scores)

    def _epoch(self, losses: _Means) -> Iterator[Event]:
        device = next(self.players.generator.parameters()).device
        dtype = choose_dtype(self.settings.precision, device)
        at = self.progress
        batches = batches_of_epoch(self.training, self.settings, at.epoch, self.frames, at.batch)
        for batch in prefetched(batches):
            started = time.monotonic()
            self.players.set_learning_rate(self._learning_rate())
            with _enough_memory(f"a training step on {device}", "use a smaller batch or patch"):
                losses.add(train_step(self.players, batch.to(device), self.settings, dtype))
            losses.require_finite(self.progress.step)
            self.progress.batch = batch.number + 1
            self.progress.step += 1
            self.progress.seconds += time.monotonic() - started
            self._save_now_and_then()
            yield StepDone(step=self.progress.step, fraction=self._fraction())
            if self._fraction() >= 1:
                break
        self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def _fraction(self) -> float:
        """Part of the run that is done, of its minutes or of its steps."""
        if self.settings.minutes is not None:
            return min(1.0, self.progress.seconds / (60 * self.settings.minutes))
        assert self.settings.epochs is not None
        steps = steps_per_epoch(self.training, self.settings)
        return min(1.0, (self.progress.epoch + self.progress.batch / steps) / self.settings.epochs)

    def _learning_rate(self) -> float:
        """Warm up over the first steps, then fall to zero along a cosine."""
        warm = min(1.0, (self.progress.step + 1) / _WARM_UP_STEPS)
        return self.settings.learning_rate * warm * (1 + math.cos(math.pi * self._fraction())) / 2

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self.saved_at > _CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        self.run.save(self.players, self.progress)
        self.saved_at = time.monotonic()

    def _model(self, scores: dict[str, float] | None = None) -> Model:
        card = Card(
            name=self.run.path.resolve().name,
            summary=f"Trained on {len(self.training)} pairs for {self.progress.step} steps.",
            base_channels=self.settings.base_channels,
            depth=self.settings.depth,
            pixel_size_um=self.settings.pixel_size_um,
            weighting=self.settings.weighting,
            training=self.settings.to_dict(),
            data=({"name": self._data_name(), "source": self.source, "licence": "not stated"},),
            scores={"validation": scores} if scores else {},
        )
        return Model(card, self.players.generator)

    def _data_name(self) -> str:
        acquisitions = len({pair.acquisition for pair in self.training})
        return f"{Path(self.source).name}, {len(self.training)} pair(s) of {acquisitions} acquisition(s)"

    def _validated(self) -> Generator[Event, None, dict[str, float]]:
        """Score the held-out pairs, with a place to stop at after each; without any there are no scores."""
        if not self.validation:
            return {}
        model = self._model()
        predictor = Predictor(model, StainSettings(self.settings.device, self.settings.precision))
        scores = []
        for pair in self.validation:
            frame = self.frames[pair]
            plan = plan_tiles(pair.shape, predictor.tile, model.geometry)
            with _enough_memory(f"validation on {predictor.device}", "close other programs and resume the run"):
                stained = stitched(frame.brightfield, plan, predictor)
            scores.append(score(stained, frame.target))
            yield Measured(done=len(scores), total=len(self.validation))
        return mean_scores(scores).to_dict()

    def _started(self) -> RunStarted:
        names = {"training": self.training, "validation": self.validation}
        return RunStarted(
            output=str(self.run.path),
            training=len(self.training),
            validation=len(self.validation),
            acquisitions={part: sorted({pair.acquisition for pair in pairs}) for part, pairs in names.items()},
        )


class _Means:
    """Running means of an epoch's losses."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(loss)
        self._count += 1

    def require_finite(self, step: int) -> None:
        if not all(math.isfinite(value) for value in self._sums.values()):
            raise TrainingError(f"Expected finite losses, got {self._sums} at step {step}; lower the learning rate.")

    def values(self) -> dict[str, float]:
        return {name: value / max(1, self._count) for name, value in self._sums.items()}


@contextmanager
def _enough_memory(work: str, advice: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(f"Expected memory for {work}, got none left; {advice}.") from error
