"""Make the pictures of docs/simulation.md: simulated pairs, one cell through focus, and one that lives.

    python scripts/make_simulation_pictures.py [FOLDER] [--real PAIRS]

Writes PNGs, by default into docs/images/. Same code, same pictures. With a folder of real pairs (the 111 of
h9c2_omp25), simulated ones stand beside one of each series.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from calibrate_simulation import crops_with_mitochondria
from napari_mitostain.config import SimulationSettings
from napari_mitostain.image.files import read_stack
from napari_mitostain.simulation import simulate_pair
from napari_mitostain.training.spec import PARTS
from reproduction_figures import save_grid

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PAIR_SEEDS = (50, 54, 402, 404)
STACK_SEED = 3
TIMES_SEED, TIMES_SHOWN = 17, (0, 1, 2, 5, 9)
FRAME_SEEDS = (1, 2, 3, 4)
SERIES = ("TL_009", "TL_010", "TL_011", "TL_012")

_GAINS = 2, 1
"""Brightfield is shown twice as bright as it is: real frames are dark."""

_SHOWN = 192
"""Side in pixels of what is shown of a crop beside others."""


def main() -> None:
    """Simulate and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    parser.add_argument("--real", type=Path, metavar="PAIRS")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [simulate_pair(SimulationSettings(shape=(256, 256)), seed) for seed in PAIR_SEEDS]
    rows = [[getattr(pair, kind)[0] for pair in pairs] for kind in ("brightfield", "mitochondria")]
    save(rows, folder / "simulation-pairs.png")
    if arguments.real is not None:
        beside(arguments.real, folder / "simulation-beside-real.png")
    through = SimulationSettings(shape=(256, 256), planes=5, plane_spacing_um=0.8, randomise=0, scaling="stack")
    stack = simulate_pair(through, STACK_SEED)
    save([list(stack.brightfield), list(stack.mitochondria)], folder / "simulation-focus.png")
    living = SimulationSettings(shape=(256, 256), times=10, randomise=0, scaling="stack")
    lapse = simulate_pair(living, TIMES_SEED)
    save(
        [[image[number, 0] for number in TIMES_SHOWN] for image in (lapse.brightfield, lapse.mitochondria)],
        folder / "simulation-times.png",
    )


def beside(real: Path, file: Path) -> None:
    """Write a crop of each real series, and of as many simulated frames below, pixel for pixel.

    Of each series, and of the crops of a frame that its authors would have kept, that one is shown whose mitochondria
    are of the median brightness.
    """
    groups = [
        [(f"real, {series}", _real_crops(real, series)) for series in SERIES],
        [(f"simulated, seed {seed}", _simulated_crops(seed)) for seed in FRAME_SEEDS],
    ]
    shown = [[(name, sorted(crops, key=_brightness)[len(crops) // 2]) for name, crops in group] for group in groups]
    rows = [
        [(name, crop[at, :_SHOWN, :_SHOWN] * (gain / 255)) for name, crop in group]
        for group in shown
        for at, gain in enumerate(_GAINS)
    ]
    save_grid(rows, file)
    print(file)


def _real_crops(pairs: Path, series: str) -> list[NDArray[Any]]:
    names = sorted(path.name for path in (pairs / PARTS[0]).glob(f"*{series}_*"))
    return [np.stack([read_stack(pairs / part / name).read(()) for part in PARTS]) for name in names]


def _simulated_crops(seed: int) -> list[NDArray[Any]]:
    pair = simulate_pair(SimulationSettings(shape=(1024, 1024)), seed)
    both = np.concatenate([pair.brightfield, pair.mitochondria])  # (2, 1024, 1024)
    return [both[:, rows, columns] for rows, columns in crops_with_mitochondria(both[1])]


def _brightness(crop: NDArray[Any]) -> float:
    return float(crop[1].mean())


def save(rows: Sequence[Sequence[NDArray[Any]]], file: Path) -> None:
    """Write a row of brightfield and one of mitochondria."""
    bright = [
        [(gain * image.astype(int)).clip(0, 255) for image in row] for gain, row in zip(_GAINS, rows, strict=True)
    ]
    framed = [[np.pad(image, ((0, 4), (0, 4)), constant_values=127) for image in row] for row in bright]
    pixels = np.vstack([np.hstack(row) for row in framed])[:-4, :-4]
    Image.fromarray(pixels.astype(np.uint8)).save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main()
