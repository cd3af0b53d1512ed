"""`mitostain weights`: the TN weight map of a fluorescence image."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_mitostain.cli.options import whole_number
from napari_mitostain.cli.progress import drain


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("weights", help="write the TN weight map of a fluorescence image")
    parser.add_argument("target", type=Path, help="fluorescence: TIFF, OME-Zarr or PNG")
    parser.add_argument("output", type=Path, help=".ome.tif, .tif, .zarr or .png")
    parser.add_argument(
        "--scope", choices=("plane", "stack"), default="plane", help="pixels the statistics are taken over"
    )
    parser.add_argument("--channel", type=whole_number, default=0, metavar="N")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write the map with the target's axes and pixel size."""
    from napari_mitostain.config import WeightSettings
    from napari_mitostain.weighing import weigh_file

    settings = WeightSettings(scope=arguments.scope)
    events = weigh_file(arguments.target, arguments.output, settings, arguments.channel, arguments.overwrite)
    for _ in drain(events, arguments.target.name):
        pass
    print(f"Wrote the TN weights to {arguments.output}")
