"""Compare the losses: TN against L1, each without a discriminator and with each of the four discriminator losses.

    python scripts/compare_losses.py PAIRS WORK [--epochs N | --minutes M] [--holdout NAME] [--seeds K]

PAIRS is a folder with brightfield/ and mitochondria/. Every cell of the table is a generator trained from scratch on
all pairs but those of the acquisition NAME, by which it is then scored; its last weights are taken, so nothing is
chosen by the pairs that score it. WORK keeps one run for each cell: what is there already is resumed or taken as it is.
The table is printed as Markdown after every cell, and kept in WORK as losses.md and losses.json.

The same number of epochs is the same number of steps for all; the same number of minutes gives those without a
discriminator, whose steps are shorter, more of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, get_args

from bundle_generator import ALONE, left_out
from napari_mitostain.config import DiscriminatorLoss, GeneratorLoss, TrainSettings
from napari_mitostain.events import EpochDone, StepDone
from napari_mitostain.image.files import atomic_write
from napari_mitostain.model.loading import load_model
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

SCORES = {"ssim": "SSIM", "psnr": "PSNR (dB)", "pearson": "Pearson", "detail_pearson": "detail"}
BASELINES = ("constant", "variance", "ceiling")


@dataclass(frozen=True)
class Cell:
    """One generator of the table."""

    generator_loss: GeneratorLoss
    discriminator_loss: DiscriminatorLoss
    seed: int

    @property
    def name(self) -> str:
        """Name of its run's folder."""
        return f"{self.generator_loss}-{self.discriminator_loss}-{self.seed}"

    def settings(self, budget: TrainSettings) -> TrainSettings:
        """Return what it is trained with."""
        return replace(
            budget, generator_loss=self.generator_loss, discriminator_loss=self.discriminator_loss, seed=self.seed
        )


def main() -> None:
    """Train what is not yet trained, score it, print the table."""
    arguments = parsed()
    budget = replace(
        ALONE,
        epochs=arguments.epochs,
        minutes=arguments.minutes,
        patch=arguments.patch,
        base_channels=arguments.base_channels,
    )
    found = open_pairs(arguments.pairs).pairs
    training = [pair for pair in found if not pair.acquisition.endswith(arguments.holdout)]
    if not 0 < len(training) < len(found):
        raise SystemExit(f"Expected pairs of {arguments.holdout} and of others in {arguments.pairs}, got one of both.")
    results = []
    for cell in cells(arguments.seeds):
        results.append(result(cell, training, arguments, budget))
        atomic_write(arguments.work / "losses.json", json.dumps(results, indent=2).encode())
        atomic_write(arguments.work / "losses.md", table(results).encode())
        print(table(results), flush=True)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("work", type=Path)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--epochs", type=int)
    budget.add_argument("--minutes", type=float)
    parser.add_argument(
        "--holdout", default="TL_011", metavar="NAME", help="acquisition that scores, by the end of its name"
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="K")
    parser.add_argument("--patch", type=int, default=ALONE.patch, metavar="N")
    parser.add_argument("--base-channels", type=int, default=ALONE.base_channels, metavar="N")
    return parser.parse_args()


def cells(seeds: int) -> list[Cell]:
    """List the table's cells, all of one seed before those of the next."""
    losses = product(range(seeds), get_args(GeneratorLoss), get_args(DiscriminatorLoss))
    return [Cell(generator, discriminator, seed) for seed, generator, discriminator in losses]


def result(
    cell: Cell, training: Sequence[Pair], arguments: argparse.Namespace, budget: TrainSettings
) -> dict[str, Any]:
    """Return a cell with its scores, from its run's folder if they are there."""
    folder = arguments.work / cell.name
    scored = folder.with_suffix(".json")
    if not scored.exists():
        steps = train_cell(training, folder, cell.settings(budget))
        report = left_out(arguments.pairs, arguments.holdout, load_model(folder))
        rows = {"stain": report.mean, **report.baselines}
        values = {"steps": steps} | {name: scores.to_dict() for name, scores in rows.items()}
        atomic_write(scored, json.dumps(vars(cell) | values).encode())
    read: dict[str, Any] = json.loads(scored.read_bytes())
    return read


def train_cell(training: Sequence[Pair], run: Path, settings: TrainSettings) -> int | None:
    """Train one generator, or as much of it as is missing, and return its steps; None if nothing was missing."""
    steps = None
    if RunFolder(run).state() == "finished":
        return steps
    for event in train(training, run, settings, resume=(run / "config.json").exists()):
        if isinstance(event, StepDone):
            steps = event.step
        elif isinstance(event, EpochDone):
            print(run.name, event.epoch, dict(event.losses), flush=True)
    return steps


def table(results: Sequence[dict[str, Any]]) -> str:
    """Lay the results out as Markdown: the mean over the seeds of each pair of losses, and the baselines."""
    lines = [
        f"| generator loss | discriminator loss | steps | {' | '.join(SCORES.values())} |",
        "|---|---|" + "---|" * (1 + len(SCORES)),
    ]
    for losses in dict.fromkeys((one["generator_loss"], one["discriminator_loss"]) for one in results):
        same = [one for one in results if (one["generator_loss"], one["discriminator_loss"]) == losses]
        steps = [one["steps"] for one in same if one["steps"] is not None]
        lines.append(row(*losses, f"{mean(steps):.0f}" if steps else "", [one["stain"] for one in same]))
    lines += [row(name, "", "", [results[0][name]]) for name in BASELINES]
    return "\n".join(lines) + "\n"


def row(first: str, second: str, third: str, scores: Sequence[dict[str, float]]) -> str:
    """Return a line of the table with mean scores."""
    means = [f"{mean(one[name] for one in scores):.{2 if name == 'psnr' else 3}f}" for name in SCORES]
    return f"| {first} | {second} | {third} | {' | '.join(means)} |"


if __name__ == "__main__":
    main()
