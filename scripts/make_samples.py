"""Simulate the sample images that `File > Open Sample` offers.

    python scripts/make_samples.py [FOLDER]

Writes eight 8-bit OME-TIFFs, by default into src/napari_mitostain/samples/. Same code, same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari_mitostain
from napari_mitostain.config import MotionSettings, SimulationSettings
from napari_mitostain.simulating import ome_tiff
from napari_mitostain.simulation import SimulatedPair, simulate_cell, simulate_pair

SAMPLES = Path(napari_mitostain.__file__).parent / "samples"
STACK_SEED, PAIR_SEED, FOCUS_SEED, TIMES_SEED = 10, 1, 26, 17
STACK = SimulationSettings(planes=5, focus_um=1.6, scaling="stack", randomise=0.0)
"""A little higher than most mitochondria lie: below the cell there is nothing to see."""

FOCUS = SimulationSettings(shape=(288, 288), planes=11, focus_um=1.4, scaling="stack", randomise=0.0)
"""From a micrometre below the coverslip to above the cell."""

TIMES = SimulationSettings(
    shape=(256, 256), times=10, interval_s=5.0, scaling="stack", randomise=0.0, motion=MotionSettings(bleaching=0.01)
)


def main() -> None:
    """Simulate and write all samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, ("brightfield_stack", "stack_mitochondria"), simulate_pair(STACK, STACK_SEED), STACK_SEED)
    write(folder, ("pair_brightfield", "pair_mitochondria"), simulate_cell(planes=1, seed=PAIR_SEED), PAIR_SEED)
    write(folder, ("focus_brightfield", "focus_mitochondria"), simulate_pair(FOCUS, FOCUS_SEED), FOCUS_SEED)
    write(folder, ("times_brightfield", "times_mitochondria"), simulate_pair(TIMES, TIMES_SEED), TIMES_SEED)


def write(folder: Path, names: tuple[str, str], pair: SimulatedPair, seed: int) -> None:
    """Write brightfield and mitochondria of a pair."""
    channels = {"Brightfield": pair.brightfield, "Mitochondria": pair.mitochondria}
    for name, (channel, image) in zip(names, channels.items(), strict=True):
        path = folder / f"{name}.ome.tif"
        path.write_bytes(ome_tiff(image, path.name, channel, pair, f"scripts/make_samples.py, seed {seed}."))
        print(f"{path.name}: {image.shape}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
