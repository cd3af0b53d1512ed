"""The runs of the reproduction: which generators, what they learn from, and what scores them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bundle_generator import ALONE, BASELINES, SERIES, finished
from napari_mitostain import evaluate, stain
from napari_mitostain.config import DiscriminatorLoss, GeneratorLoss, TrainSettings
from napari_mitostain.image.files import atomic_write
from napari_mitostain.model.loading import Model
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.patches import steps_per_epoch
from napari_mitostain.training.split import split_pairs

SCALED_DOWN = replace(ALONE, epochs=10, batch_size=1, learning_rate=3e-4, patch=96, base_channels=8)
"""What a processor can train some eighty times in two hours; everything else is the recipe of the bundled generator."""

REPEATS = 3
"""Where pairs are not of the four series."""

_PARTS = 6
"""Of such pairs, of which each repeat leaves out another one."""


@dataclass(frozen=True)
class Cell:
    """A generator that is trained in every repeat."""

    generator_loss: GeneratorLoss
    discriminator_loss: DiscriminatorLoss
    batch_size: int = SCALED_DOWN.batch_size

    @property
    def name(self) -> str:
        """Name of its runs' folders."""
        return f"{self.generator_loss}-{self.discriminator_loss}-{self.batch_size}"


@dataclass(frozen=True)
class Repeat:
    """What all cells are trained on and scored by once, with one seed."""

    name: str
    seed: int
    training: Sequence[Pair]
    held_out: Sequence[Pair]


def repeats_of(pairs: Sequence[Pair], split: str = "acquisition") -> list[Repeat]:
    """List the repeats: each leaves out another series, or, of pairs of other acquisitions, another part of these.

    The split "patch" leaves out single pairs at random, as the paper does.
    """
    if split == "patch":
        drawn = [split_pairs(pairs, replace(ALONE, split="patch", holdout=None, seed=seed)) for seed in range(REPEATS)]
        return [Repeat(f"pairs-{seed}", seed, one.training, one.validation) for seed, one in enumerate(drawn)]
    acquisitions = sorted({pair.acquisition for pair in pairs})
    series = {name: [one for one in acquisitions if one.endswith(name)] for name in sorted(SERIES)}
    left_out = {name: found for name, found in series.items() if found}
    if len(left_out) < 2:
        left_out = {f"part-{number}": acquisitions[number::_PARTS] for number in range(REPEATS)}
        if len(acquisitions) < _PARTS:
            raise SystemExit(
                f"Expected pairs of {' and '.join(series)}, or of {_PARTS} acquisitions, got "
                f"{len(acquisitions)}; simulate more cells."
            )
    return [_without(found, name, pairs, seed) for seed, (name, found) in enumerate(left_out.items())]


def _without(left_out: Sequence[str], name: str, pairs: Sequence[Pair], seed: int) -> Repeat:
    held_out = [pair for pair in pairs if pair.acquisition in left_out]
    return Repeat(name, seed, [pair for pair in pairs if pair.acquisition not in left_out], held_out)


def model_of(cell: Cell, repeat: Repeat, work: Path, budget: TrainSettings) -> Model:
    """Return a cell's generator, training it first as far as it is not yet trained."""
    return finished(repeat.training, work / repeat.name / cell.name, settings_of(cell, repeat, budget), None)


def settings_of(cell: Cell, repeat: Repeat, budget: TrainSettings) -> TrainSettings:
    """Return what a cell is trained with.

    The learning rate goes with the square root of the batch, as is usual with Adam; at one rate for all, the smallest
    batch would be judged by a rate that is too high for it, or the largest by one that is too low.
    """
    rate = budget.learning_rate * (cell.batch_size / budget.batch_size) ** 0.5
    return replace(budget, **vars(cell), learning_rate=rate, seed=repeat.seed)


def result(cell: Cell, repeat: Repeat, work: Path, budget: TrainSettings) -> dict[str, Any]:
    """Return a cell with its scores plane by plane, from WORK if they are there."""
    file = work / repeat.name / f"{cell.name}.json"
    if not file.exists():
        settings = settings_of(cell, repeat, budget)
        told = vars(cell) | {
            "repeat": repeat.name,
            "seed": repeat.seed,
            "pairs": len(repeat.training),
            "steps": budget.epochs * steps_per_epoch(repeat.training, settings),
        }
        planes = scores_of(model_of(cell, repeat, work, budget), repeat.held_out)
        atomic_write(file, json.dumps(told | {"scores": planes}).encode())
    read: dict[str, Any] = json.loads(file.read_bytes())
    return read


def scores_of(model: Model, pairs: Sequence[Pair]) -> dict[str, dict[str, list[float]]]:
    """Score a model, and the baselines, on whole planes, as `mitostain stain` and `mitostain evaluate` do."""
    planes = [pair.source.planes() for pair in pairs]
    reports = [evaluate(stain(bright, model), target, bright) for bright, target in planes]
    rows = {"stain": [report.mean for report in reports]}
    rows |= {name: [report.baselines[name] for report in reports] for name in BASELINES}
    return {
        row: {name: [round(one.to_dict()[name], 4) for one in scores] for name in scores[0].to_dict()}
        for row, scores in rows.items()
    }
