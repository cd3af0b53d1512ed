"""`mitostain weights`: the TN weight map of a fluorescence image."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from statistics import fmean

from napari_mitostain.cli.options import add_json, add_weighting, path, whole_number
from napari_mitostain.cli.progress import drain

_TOLD = ("plane", "minimum", "mean", "std", "maximum", "thresholds", "pixel_shares", "weight_shares")
"""What ``--json`` tells of each plane."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("weights", help="write the TN weight map of a fluorescence image")
    parser.add_argument("target", type=path, help="fluorescence: TIFF, OME-Zarr or PNG")
    parser.add_argument("output", type=path, help=".ome.tif, .tif, .zarr or .png")
    parser.add_argument(
        "--scope",
        choices=("plane", "stack"),
        help="pixels the statistics are taken over; default that of FILE.json, or plane",
    )
    parser.add_argument("--channel", type=whole_number, metavar="N", help="channel of fluorescence, from 0")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    add_weighting(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write the map with the target's axes and pixel size, and say what it was computed from."""
    from napari_mitostain.config import WeightSettings
    from napari_mitostain.events import PlaneWeighed
    from napari_mitostain.weighing import read_weighting, weigh_file
    from napari_mitostain.weighting import BAND_NAMES

    settings = WeightSettings() if arguments.weighting is None else read_weighting(arguments.weighting)
    if settings.scope == "patch" and arguments.scope is None:
        print(f"mitostain: {arguments.weighting} weighs patch by patch; here it is plane by plane.", file=sys.stderr)
    settings = replace(settings, scope=arguments.scope or (settings.scope if settings.scope == "stack" else "plane"))
    events = weigh_file(arguments.target, arguments.output, settings, arguments.channel, arguments.overwrite)
    planes = [
        {name: getattr(event, name) for name in _TOLD}  # not the weights themselves: a stack may be larger than memory
        for event in drain(events, arguments.target.name)
        if isinstance(event, PlaneWeighed)
    ]
    if arguments.json:
        print(json.dumps({"output": str(arguments.output), "settings": settings.to_dict(), "planes": planes}))
        return
    print(f"Wrote the TN weights to {arguments.output}")
    for band, name in enumerate(BAND_NAMES):
        pixels, weight = (
            fmean(plane[shares][band] for plane in planes) for shares in ("pixel_shares", "weight_shares")
        )
        print(f"{name:<18} {pixels:5.1%} of the pixels, {weight:5.1%} of the weight")
