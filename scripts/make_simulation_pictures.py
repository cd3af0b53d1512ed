"""Make the pictures of docs/simulation.md: simulated pairs, one cell through focus, and one that lives.

    python scripts/make_simulation_pictures.py [FOLDER]

Writes PNGs, by default into docs/images/. Same code, same pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_mitostain.config import SimulationSettings
from napari_mitostain.simulation import simulate_pair

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PAIR_SEEDS = (50, 54, 402, 404)
STACK_SEED = 3
TIMES_SEED, TIMES_SHOWN = 17, (0, 1, 2, 5, 9)


def main() -> None:
    """Simulate and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [simulate_pair(SimulationSettings(shape=(256, 256)), seed) for seed in PAIR_SEEDS]
    rows = [[getattr(pair, kind)[0] for pair in pairs] for kind in ("brightfield", "mitochondria")]
    save(rows, folder / "simulation-pairs.png")
    through = SimulationSettings(shape=(256, 256), planes=5, plane_spacing_um=0.8, randomise=0, scaling="stack")
    stack = simulate_pair(through, STACK_SEED)
    save([list(stack.brightfield), list(stack.mitochondria)], folder / "simulation-focus.png")
    living = SimulationSettings(shape=(256, 256), times=10, randomise=0, scaling="stack")
    lapse = simulate_pair(living, TIMES_SEED)
    save(
        [[image[number, 0] for number in TIMES_SHOWN] for image in (lapse.brightfield, lapse.mitochondria)],
        folder / "simulation-times.png",
    )


def save(rows: Sequence[Sequence[NDArray[Any]]], file: Path) -> None:
    """Write a row of brightfield, twice as bright (it is as dark as the real frames), and one of mitochondria."""
    bright = [
        [(gain * image.astype(int)).clip(0, 255) for image in row] for gain, row in zip((2, 1), rows, strict=True)
    ]
    framed = [[np.pad(image, ((0, 4), (0, 4)), constant_values=127) for image in row] for row in bright]
    pixels = np.vstack([np.hstack(row) for row in framed])[:-4, :-4]
    Image.fromarray(pixels.astype(np.uint8)).save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main()
