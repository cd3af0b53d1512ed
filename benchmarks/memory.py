"""Measure how much memory staining an OME-Zarr takes, beyond what its imports take, and that it does not grow.

    python benchmarks/memory.py [--seconds S] [--only NAME]

Each line is one run of `mitostain stain` in a process of its own: planes, side, logical size of the input, pixels that
were stained, and the largest resident memory of the process less that after the imports. Runs are cut off after S
seconds: memory is at its peak after a few planes, or a few blocks of a large one, which the runs with more and more
planes show.

The chunks of the synthetic stacks are hard links to a few files, so that 20 GB take some megabytes of disk; they are
read and decoded as any others.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr
from scipy.ndimage import gaussian_filter

_CHUNK = 1024
_VARIANTS = 4
"""Chunks that differ."""

_RUNS = {
    "few planes": (4, 2048),
    "more planes": (16, 2048),
    "many planes": (64, 2048),
    "20 GB of planes": (2400, 2048),
    "large planes": (4, 4096),
    "a larger plane": (1, 8192),
    "a plane of 2 GB": (1, 32768),
    "20 GB of such": (10, 32768),
}
"""Planes and their side in pixels."""

_CHILD = """
import sys
from pathlib import Path
import napari_mitostain.cli.stain, napari_mitostain.staining.spread, tifffile, zarr
from napari_mitostain.cli import main

def peak():
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

before = peak()
status = main(["stain", *sys.argv[1:]])
print(status, before, peak())
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240, help="after which a run is cut off")
    parser.add_argument("--only", choices=_RUNS, action="append", help="some of the runs")
    parser.add_argument("options", nargs="*", help="for mitostain stain, after --")
    arguments = parser.parse_args()
    print(f"{'run':<18} {'planes':>6} {'side':>6} {'input':>9} {'stained':>12} {'import':>8} {'above it':>9}")
    for name in arguments.only or _RUNS:
        planes, side = _RUNS[name]
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.zarr"
            make_stack(source, planes, side)
            before, peak, pixels = measure(source, Path(folder) / "out.zarr", arguments.seconds, arguments.options)
        size = planes * side * side * 2 / 1e9
        print(
            f"{name:<18} {planes:>6} {side:>6} {size:>6.1f} GB {pixels / 1e6:>9.1f} Mpx {before / 1e6:>5.0f} MB "
            f"{(peak - before) / 1e6:>6.0f} MB",
            flush=True,
        )


def make_stack(path: Path, planes: int, side: int) -> None:
    """Write an OME-Zarr of 12-bit brightfield in uint16 whose chunks are links to a few."""
    group = zarr.create_group(path, attributes={"ome": _description()})
    array = group.create_array("0", shape=(planes, side, side), dtype=np.uint16, chunks=(1, _CHUNK, _CHUNK))
    random = np.random.default_rng(0)
    across = side // _CHUNK
    for number in range(min(_VARIANTS, across)):
        noise = random.standard_normal((_CHUNK, _CHUNK))
        image = 2000 + 4000 * gaussian_filter(noise, 3) + 20 * noise
        array[0, :_CHUNK, number * _CHUNK : (number + 1) * _CHUNK] = image.clip(0, 4095).astype(np.uint16)
    chunks = [path / f"0/c/0/0/{number}" for number in range(min(_VARIANTS, across))]
    for plane in range(planes):
        for row in range(across):
            folder = path / f"0/c/{plane}/{row}"
            folder.mkdir(parents=True, exist_ok=True)
            for column in range(across):
                if not (folder / str(column)).exists():
                    os.link(chunks[(plane + row + column) % len(chunks)], folder / str(column))


def _description() -> dict[str, object]:
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = {"type": "scale", "scale": [0.5, 0.08, 0.08]}
    return {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}],
    }


def measure(source: Path, output: Path, seconds: float, options: list[str]) -> tuple[int, int, int]:
    """Stain in a process of its own; return its memory in bytes after the imports, its peak, and the pixels stained."""
    command = [sys.executable, "-c", _CHILD, str(source), str(output), *options]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        told, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate()
    _, before, peak = map(int, told.splitlines()[-1].split())
    return before, peak, stained_pixels(output)


def stained_pixels(output: Path) -> int:
    """Count the pixels of the chunks that were written, of a stain that is complete or not."""
    places = [output, *(folder / "image.zarr" for folder in output.parent.glob(f".{output.name}.partial-*"))]
    for place in places:
        if place.exists():
            shape = json.loads((place / "0" / "zarr.json").read_text())["chunk_grid"]["configuration"]["chunk_shape"]
            return sum(path.is_file() for path in (place / "0" / "c").rglob("*")) * int(np.prod(shape))
    return 0


if __name__ == "__main__":
    main()
