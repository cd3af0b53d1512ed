"""Simulate the sample images that `File > Open Sample` offers.

    python scripts/make_samples.py [FOLDER]

Writes four 8-bit OME-TIFFs, by default into src/napari_mitostain/samples/. Same code, same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffWriter

import napari_mitostain
from napari_mitostain.simulation import SimulatedPair, simulate_cell

SAMPLES = Path(napari_mitostain.__file__).parent / "samples"
STACK_SEED, PAIR_SEED = 3, 1
_SOFTWARE = "napari-mitostain, scripts/make_samples.py"


def main() -> None:
    """Simulate and write all samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    stack = simulate_cell(seed=STACK_SEED)
    write(folder / "brightfield_stack.ome.tif", stack.brightfield, "Brightfield", stack, STACK_SEED)
    write(folder / "stack_mitochondria.ome.tif", stack.mitochondria, "Mitochondria", stack, STACK_SEED)
    pair = simulate_cell(planes=1, seed=PAIR_SEED)
    write(folder / "pair_brightfield.ome.tif", pair.brightfield[0], "Brightfield", pair, PAIR_SEED)
    write(folder / "pair_mitochondria.ome.tif", pair.mitochondria[0], "Mitochondria", pair, PAIR_SEED)


def write(path: Path, image: NDArray[np.uint8], channel: str, pair: SimulatedPair, seed: int) -> None:
    """Write a plane (Y, X) or stack (Z, Y, X) as 8-bit OME-TIFF, without loss.

    The package's own writer stores stains, which are float32 and uncompressed, so tifffile writes these.
    """
    sizes: dict[str, Any] = {"X": pair.pixel_size_um, "Y": pair.pixel_size_um}
    if image.ndim == 3:
        sizes["Z"] = pair.plane_spacing_um
    metadata: dict[str, Any] = {
        "axes": "ZYX"[-image.ndim :],
        "UUID": str(uuid5(NAMESPACE_OID, f"napari-mitostain sample {path.name}")),  # by default random
        "Name": path.name,
        "Creator": _SOFTWARE,
        "Description": f"{channel} of a simulated cell, not of a real one: simulate_cell(seed={seed}).",
        "Channel": {"Name": [f"{channel} (simulated)"]},
    }
    for axis, size in sizes.items():
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    with TiffWriter(path, ome=True, byteorder="<") as tif:
        tif.write(image, compression="zlib", predictor=True, photometric="minisblack", metadata=metadata)
    print(f"{path.name}: {image.shape}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
