"""Validation: how an epoch's generator, what the run started from, and what needs no learning do on the same pairs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Event, Measured
from napari_mitostain.model.device import as_trained
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.scoring import Scores, ceiling, constant_baseline, mean_scores, score, variance_baseline
from napari_mitostain.tiling import stitch
from napari_mitostain.training.faults import device_there
from napari_mitostain.training.pair import Box, Frame, Frames, Pair
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.players import Players
from napari_mitostain.training.split import Split
from napari_mitostain.training.step import LOSSES, generator_losses, judged_loss

_PREVIEWS = 8
_SCORED_PIXELS = 2**24
"""Of the validation pairs, at most so many pixels are scored (64 planes of 512×512), spread evenly over them."""

Stained = NDArray[np.float32]


@dataclass
class Verdicts:
    """What came out of a validation.

    Attributes
    ----------
    scores : dict of str to float
        Means over the validation pairs; empty without any.
    losses : dict of str to float
        Of patches of them, as in training.
    stains : list of ndarray
        Of the previews' crops.
    """

    scores: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    stains: list[Stained] = field(default_factory=list)


class Validator:
    """Scores generators on a run's validation pairs, always the same ones.

    Parameters
    ----------
    split : Split
        Without validation pairs, training pairs give the previews, and there are no scores.
    settings : TrainSettings
    frames : Frames
    """

    def __init__(self, split: Split, settings: TrainSettings, frames: Frames) -> None:
        self._settings, self._frames = settings, frames
        self._is_scored = bool(split.validation)
        looked_at = spread(split.validation or split.training, _PREVIEWS if not split.validation else None)
        self.pairs = _within(looked_at, _SCORED_PIXELS)
        self._shown = {pair.name for pair in spread(self.pairs, _PREVIEWS)}

    @property
    def pixels(self) -> int:
        """Pixels that are stained and scored each time."""
        return sum(pair.shape[0] * pair.shape[1] for pair in self.pairs)

    def crops(self) -> tuple[list[Stained], list[Stained]]:
        """Return brightfield and fluorescence (Y, X) of the previews."""
        cut = [self._patch(self._frames[pair]) for pair in self.pairs if pair.name in self._shown]
        return [frame.brightfield for frame in cut], [frame.target for frame in cut]

    def validate(self, model: Model, players: Players | None = None) -> Generator[Event, None, Verdicts]:
        """Score a model, and give its losses against the other player; `Measured` after each tile and pair."""
        found, scores = Verdicts(), list[Scores]()
        patches: list[tuple[Frame, Stained, Pair]] = []
        with device_there("validation"):
            predictor = Predictor(model, as_trained(self._settings))
        for pair in self.pairs:
            frame = self._frames[pair]
            stain = yield from self._stained(frame, predictor, len(patches))
            if self._is_scored:
                scores.append(score(stain, frame.target))
            box = brightest(frame.target, self._settings.patch)
            patches.append((frame.cut(box), stain[box], pair))
            yield Measured(done=len(patches), total=len(self.pairs))
        found.stains = [stain for _, stain, pair in patches if pair.name in self._shown]
        if scores:
            found.scores = mean_scores(scores).to_dict()
            if players is not None:
                with device_there("validation"):
                    found.losses = yield from self._losses(patches, players)
        return found

    def baselines(self) -> Generator[Event, None, dict[str, dict[str, float]]]:
        """Score what needs no learning, and what a perfect stain would reach; nothing without validation pairs."""
        if not self._is_scored:
            return {}
        found: dict[str, list[Scores]] = {name: [] for name in _BASELINES}
        for number, pair in enumerate(self.pairs, start=1):
            frame = self._frames[pair]
            for name, baseline in _BASELINES.items():
                yield Measured(done=number - 1, total=len(self.pairs))
                found[name].append(score(baseline(frame), frame.target))
            yield Measured(done=number, total=len(self.pairs))
        return {name: mean_scores(scores).to_dict() for name, scores in found.items()}

    def _stained(self, frame: Frame, predictor: Predictor, done: int) -> Generator[Event, None, Stained]:
        """Stain a plane, with an event after each tile: a large one takes many seconds."""
        plan = predictor.plan(frame.brightfield.shape)
        stain = np.empty(plan.shape, np.float32)
        with device_there("validation"):
            for tile, core in stitch(frame.brightfield, plan, predictor):
                stain[tile.core] = core
                yield Measured(done=done, total=len(self.pairs))
        return stain

    def _patch(self, frame: Frame) -> Frame:
        return frame.cut(brightest(frame.target, self._settings.patch))

    @torch.no_grad()
    def _losses(
        self, patches: Sequence[tuple[Frame, Stained, Pair]], players: Players
    ) -> Generator[Event, None, dict[str, float]]:
        sums = torch.zeros(len(LOSSES), device=players.device)
        for start in range(0, len(patches), self._settings.batch_size):
            some = patches[start : start + self._settings.batch_size]
            batch = _batch([frame for frame, _, _ in some], [pair for _, _, pair in some]).to(players.device)
            stain = _stacked([stain for _, stain, _ in some]).to(players.device)
            losses = [*generator_losses(players.discriminator, batch, stain, self._settings)]
            losses += (
                [judged_loss(players.discriminator, batch, stain, self._settings)] if players.discriminator else []
            )
            sums[: len(losses)] += len(some) / len(patches) * torch.stack(losses)
            yield Measured(done=len(self.pairs), total=len(self.pairs))
        return dict(zip(LOSSES, sums.tolist(), strict=True))


_BASELINES: dict[str, Callable[[Frame], Stained]] = {
    "constant": lambda frame: constant_baseline(frame.target),
    "variance": lambda frame: variance_baseline(frame.brightfield, frame.target),
    "ceiling": lambda frame: ceiling(frame.target),
}


def spread(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """Choose so many pairs, spread evenly."""
    if count is None or len(pairs) <= count:
        return list(pairs)
    return [pairs[number * len(pairs) // count] for number in range(count)]


def brightest(target: Stained, side: int) -> Box:
    """Return the square of a plane, on a grid of half its side, that holds the most light."""
    means = uniform_filter(target, side, mode="nearest")
    half = side // 2
    rows, columns = ([*range(0, length - side, max(1, half)), length - side] for length in target.shape)
    lights = means[np.ix_([row + half for row in rows], [column + half for column in columns])]
    at = np.unravel_index(int(lights.argmax()), lights.shape)
    row, column = rows[int(at[0])], columns[int(at[1])]
    return slice(row, row + side), slice(column, column + side)


def _within(pairs: Sequence[Pair], pixels: int) -> list[Pair]:
    total = sum(pair.shape[0] * pair.shape[1] for pair in pairs)
    return spread(pairs, max(1, int(len(pairs) * pixels / total)) if total > pixels else None)


def _batch(frames: Sequence[Frame], pairs: Sequence[Pair]) -> Batch:
    known = tuple(pair.measured for pair in pairs if pair.measured is not None)
    images, targets = _stacked([frame.brightfield for frame in frames]), _stacked([frame.target for frame in frames])
    return Batch(images, targets, known if len(known) == len(pairs) else None)


def _stacked(images: Sequence[Stained]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)[:, None].astype(np.float32))  # (B, 1, Y, X)
