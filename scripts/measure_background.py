"""Measure how dark a generator leaves brightfield in which there is no cell: hallucination is worse than blindness.

    python scripts/measure_background.py [MODEL...] [--fields N] [--size S] [--json FILE]

MODEL is the name of an installed model, a model file or the folder of a run; by default the bundled one. The fields
are simulated without cells (debris, dust and stains on the optics stay), without those too, or flat light with noise
of single pixels or of grains. A stain is in [0, 1], so its mean is its share of that range, and should be below 2 %;
"brightest" is the field of the highest mean, "lit" the part of the pixels above a quarter of the range. Fields with
simulated cells stand beside.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import CellSettings, SimulationSettings
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.simulation import simulate_pair
from napari_mitostain.staining import stain

FIRST_SEED = 5000
"""Fields that no generator was trained on."""

_LIT = 0.25
_GREY, _NOISE = 66.0, 0.07
"""Median of the real brightfield, and its noise relative to it."""


@dataclass(frozen=True)
class Background:
    """How bright the stains of some fields are, as shares of the range of a stain."""

    mean: float
    brightest: float
    lit: float


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL")
    parser.add_argument("--fields", type=int, default=12, metavar="N", help="of each kind")
    parser.add_argument("--size", type=int, default=512, metavar="S", help="rows and columns of a field")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    planes = fields(options.fields, options.size)
    found = {name: measured(load_model(name), planes) for name in options.models}
    print(table(found))
    if options.json is not None:
        rows = {name: {kind: asdict(one) for kind, one in kinds.items()} for name, kinds in found.items()}
        options.json.write_text(json.dumps(rows, indent=2))


def fields(count: int, size: int) -> dict[str, list[NDArray[Any]]]:
    """Make brightfield planes (size, size) of each kind, the last kind with cells; same numbers, same planes."""
    shape = size, size
    cells = SimulationSettings(shape=shape)
    empty = replace(cells, cell=CellSettings(empty=1.0))
    clean = replace(
        empty, cell=replace(empty.cell, debris=0.0), microscope=replace(empty.microscope, dust=0.0, mottle=0.0)
    )
    return {
        "no cells": _simulated(empty, count),
        "no cells, no dirt": _simulated(clean, count),
        "noise of pixels": [_noisy(shape, 0.0, seed) for seed in range(count)],
        "noise of grains": [_noisy(shape, 1.5, seed) for seed in range(count)],
        "with cells": _simulated(cells, count),
    }


def measured(model: Model, kinds: dict[str, list[NDArray[Any]]]) -> dict[str, Background]:
    """Stain the fields of each kind, as a user would."""
    return {kind: background([stain(plane, model, axes="YX") for plane in planes]) for kind, planes in kinds.items()}


def background(stains: Sequence[NDArray[np.float32]]) -> Background:
    """Measure stains (Y, X) in [0, 1] of fields without cells."""
    means = [float(one.mean()) for one in stains]
    return Background(float(np.mean(means)), max(means), float(np.mean([(one > _LIT).mean() for one in stains])))


def table(found: dict[str, dict[str, Background]]) -> str:
    """Lay the shares out as Markdown."""
    lines = ["| model | fields | mean | brightest | lit |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {kind} | {one.mean:.1%} | {one.brightest:.1%} | {one.lit:.1%} |"
        for name, rows in found.items()
        for kind, one in rows.items()
    ]
    return "\n".join(lines)


def _simulated(settings: SimulationSettings, count: int) -> list[NDArray[Any]]:
    return [simulate_pair(settings, FIRST_SEED + number).brightfield[0] for number in range(count)]


def _noisy(shape: tuple[int, int], sigma: float, seed: int) -> NDArray[np.uint8]:
    """Draw flat light with Gaussian noise of the real brightfield's strength, in grains of some width."""
    noise = gaussian_filter(np.random.default_rng(FIRST_SEED + seed).standard_normal(shape), sigma, mode="wrap")
    grey: NDArray[np.uint8] = np.rint(_GREY * (1 + _NOISE * noise / noise.std())).astype(np.uint8)
    return grey


if __name__ == "__main__":
    main()
