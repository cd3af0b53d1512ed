"""Simulate the sample images that `File > Open Sample` offers.

    python scripts/make_samples.py [FOLDER]

Writes four 8-bit OME-TIFFs, by default into src/napari_mitostain/samples/. Same code, same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import napari_mitostain
from napari_mitostain.config import SimulationSettings
from napari_mitostain.simulating import ome_tiff
from napari_mitostain.simulation import SimulatedPair, simulate_cell, simulate_pair

SAMPLES = Path(napari_mitostain.__file__).parent / "samples"
STACK_SEED, PAIR_SEED = 10, 1
STACK = SimulationSettings(planes=5, focus_um=1.6, scaling="stack", randomise=0.0)
"""A little higher than most mitochondria lie: below the cell there is nothing to see."""


def main() -> None:
    """Simulate and write all samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    stack = simulate_pair(STACK, STACK_SEED)
    write(folder / "brightfield_stack.ome.tif", stack.brightfield, "Brightfield", stack, STACK_SEED)
    write(folder / "stack_mitochondria.ome.tif", stack.mitochondria, "Mitochondria", stack, STACK_SEED)
    pair = simulate_cell(planes=1, seed=PAIR_SEED)
    write(folder / "pair_brightfield.ome.tif", pair.brightfield[0], "Brightfield", pair, PAIR_SEED)
    write(folder / "pair_mitochondria.ome.tif", pair.mitochondria[0], "Mitochondria", pair, PAIR_SEED)


def write(path: Path, image: NDArray[Any], channel: str, pair: SimulatedPair, seed: int) -> None:
    """Write a plane (Y, X) or stack (Z, Y, X)."""
    path.write_bytes(ome_tiff(image, path.name, channel, pair, f"scripts/make_samples.py, seed {seed}."))
    print(f"{path.name}: {image.shape}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
