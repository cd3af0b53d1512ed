"""Reproduce the paper (Somani et al., BVM 2021): Table 1, Fig. 3 and Fig. 4, scaled down for a processor.

    python scripts/reproduce.py table1  PAIRS WORK [--epochs N] [--split patch] [--also-none]
    python scripts/reproduce.py figure3 PAIRS WORK
    python scripts/reproduce.py figure4 PAIRS WORK
    python scripts/reproduce.py show FILE.json [FILE.png]

PAIRS is a folder with brightfield/ and mitochondria/: the 111 real pairs, of which each repeat leaves out another of
four series, or what `mitostain simulate` made, of which each of three repeats leaves out another sixth of the cells.
Each repeat has another seed. Every generator is trained from scratch, and its last weights are scored on what was left
out, so nothing is chosen by the pairs that score it. WORK keeps one run for each: what is there already is resumed or
taken as it is, repeat by repeat, and after each repeat the tables (Markdown and JSON) and figures (PNG) of those that
are complete are written. `show` lays the JSON out again without any run.

table1   both generator losses against the four discriminator losses; with --also-none without a discriminator, too
figure3  one left-out plane of each repeat: brightfield, fluorescence, and the stains of the eight generators of Table 1
figure4  quartiles over all left-out planes: TN with a batch of 1 and of 16, L1 with 1 (MSE discriminator)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mitostain import stain
from napari_mitostain.config import TrainSettings
from napari_mitostain.image.files import atomic_write
from napari_mitostain.training.pairs import open_pairs
from reproduction_figures import save_boxes, save_grid
from reproduction_runs import SCALED_DOWN, Cell, Repeat, model_of, repeats_of, result
from reproduction_tables import (
    DISCRIMINATOR_LOSSES,
    GENERATOR_LOSSES,
    PAPER,
    against_mse,
    averaged,
    by_repeat,
    differences,
    quartile_table,
    table,
)

TABLE_1 = [Cell(generator, other) for other, generator in product(PAPER["tn"], GENERATOR_LOSSES)]
ALONE = [Cell("tn", "none"), Cell("l1", "none")]
FIGURE_4 = {
    "TN, batch 1": Cell("tn", "mse"),
    "TN, batch 16": Cell("tn", "mse", 16),
    "L1, batch 1": Cell("l1", "mse"),
}
IN_FIGURE_4 = ("ssim", "psnr", "detail_pearson")
"""The paper's two scores, and the one that an empty picture does not win."""

SHOWN_PX, GAIN = 150, 2
"""Side of the square that Fig. 3 shows of a plane, and how many times brighter it shows fluorescence and stains."""


def main() -> None:
    """Train what is not yet trained, score it, write what was asked for."""
    arguments = parsed()
    if arguments.command == "show":
        show(arguments.file, arguments.picture)
        return
    torch.set_num_threads(arguments.threads)
    budget = replace(SCALED_DOWN, epochs=arguments.epochs, patch=arguments.patch, base_channels=arguments.base_channels)
    record(arguments.work / "settings.json", budget)
    repeats = repeats_of(open_pairs(arguments.pairs).pairs, arguments.split)[: arguments.repeats]
    if arguments.command == "table1":
        table1(repeats, arguments.work, budget, arguments.also_none)
    else:
        {"figure3": figure3, "figure4": figure4}[arguments.command](repeats, arguments.work, budget)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("table1", "figure3", "figure4"):
        command = commands.add_parser(name)
        command.add_argument("pairs", type=Path)
        command.add_argument("work", type=Path)
        command.add_argument("--split", choices=("acquisition", "patch"), default="acquisition", help="patch leaks")
        command.add_argument("--epochs", type=int, default=SCALED_DOWN.epochs, metavar="N")
        command.add_argument("--patch", type=int, default=SCALED_DOWN.patch, metavar="N")
        command.add_argument("--base-channels", type=int, default=SCALED_DOWN.base_channels, metavar="N")
        command.add_argument("--repeats", type=int, metavar="N", help="only the first N")
        command.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="N")
        if name == "table1":
            command.add_argument("--also-none", action="store_true", help="also without a discriminator")
    command = commands.add_parser("show")
    command.add_argument("file", type=Path)
    command.add_argument("picture", type=Path, nargs="?")
    return parser.parse_args()


def record(file: Path, budget: TrainSettings) -> None:
    """Save what all generators are trained with, or compare it with what is saved: one folder, one length of runs."""
    told = json.dumps(budget.to_dict(), indent=2).encode()
    if file.exists() and file.read_bytes() != told:
        raise SystemExit(f"Expected the settings that {file} was begun with, got others; choose a new WORK.")
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, told)


def table1(repeats: Sequence[Repeat], work: Path, budget: TrainSettings, also_none: bool = False) -> None:
    """Train and score both generator losses against every discriminator loss; those that the paper lacks at last."""
    rows: list[dict[str, Any]] = []
    for cells, repeat in product([TABLE_1, ALONE] if also_none else [TABLE_1], repeats):
        rows += [averaged(result(cell, repeat, work, budget)) for cell in cells]
        write(work / "table1.json", {"settings": budget.to_dict(), "table1": rows})


def figure4(repeats: Sequence[Repeat], work: Path, budget: TrainSettings) -> None:
    """Train and score TN with a small and a large batch, and L1."""
    groups: dict[str, dict[str, list[float]]] = {}
    for repeat in repeats:
        for name, cell in FIGURE_4.items():
            scores = result(cell, repeat, work, budget)["scores"]
            extend(groups, name, scores["stain"])
        extend(groups, "constant", scores["constant"])
        write(work / "figure4.json", {"settings": budget.to_dict(), "figure4": groups})
    show(work / "figure4.json", work / "figure4.png")


def figure3(repeats: Sequence[Repeat], work: Path, budget: TrainSettings) -> None:
    """Stain the middle plane of what each repeat leaves out, TN above L1."""
    rows = []
    for repeat in repeats:
        pair = repeat.held_out[len(repeat.held_out) // 2]
        brightfield, _ = pair.source.planes()
        darkest, brightest = (float(value) for value in np.percentile(brightfield, (0.1, 99.9)))
        shown = {
            "tn": (f"brightfield, {repeat.name}", (brightfield - darkest) / (brightest - darkest)),
            "l1": ("fluorescence", GAIN * pair.read().target),
        }
        for generator, first in shown.items():
            cells = [cell for cell in TABLE_1 if cell.generator_loss == generator]
            names = [
                f"{GENERATOR_LOSSES[generator]}, {DISCRIMINATOR_LOSSES[cell.discriminator_loss]}" for cell in cells
            ]
            stains = [GAIN * stain(brightfield, model_of(cell, repeat, work, budget)) for cell in cells]
            rows.append([first, *zip(names, stains, strict=True)])
        save_grid([[(name, middle(plane)) for name, plane in row] for row in rows], work / "figure3.png")


def middle(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a plane, as much as is shown of it."""
    rows, columns = (slice(max(0, (length - SHOWN_PX) // 2), (length + SHOWN_PX) // 2) for length in plane.shape)
    return plane[rows, columns]


def extend(groups: dict[str, dict[str, list[float]]], name: str, scores: dict[str, list[float]]) -> None:
    """Add the planes of a repeat to those of the repeats before it."""
    for score in IN_FIGURE_4:
        groups.setdefault(name, {}).setdefault(score, []).extend(scores[score])


def write(file: Path, found: dict[str, Any]) -> None:
    """Write results, and their tables beside them."""
    atomic_write(file, json.dumps(found).encode())
    atomic_write(file.with_suffix(".md"), laid_out(found).encode())


def show(file: Path, picture: Path | None) -> None:
    """Print the tables of results, and draw the box plots if a file is given for them."""
    found = json.loads(file.read_bytes())
    print(laid_out(found), flush=True)
    if picture is not None and "figure4" in found:
        save_boxes(found["figure4"], picture)


def laid_out(found: dict[str, Any]) -> str:
    """Return the tables of results as Markdown."""
    if "figure4" in found:
        return quartile_table(found["figure4"])
    rows = found["table1"]
    return "\n".join((table(rows), "TN − L1:\n", differences(rows), by_repeat(rows), against_mse(rows)))


if __name__ == "__main__":
    main()
