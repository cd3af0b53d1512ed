"""`mitostain benchmark`: speed as ratios, measured in one run."""

from __future__ import annotations

import argparse
import json

from napari_mitostain.cli.options import add_compute_options, add_json, whole_number


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "benchmark", help="time staining, weighing and training against bare networks, MONAI, NumPy and pix2pix"
    )
    parser.add_argument("--size", type=whole_number, default=1024, metavar="N", help="side of the plane in pixels")
    parser.add_argument("--repeats", type=whole_number, default=5, metavar="N")
    add_compute_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the times and the ratios."""
    from napari_mitostain.benchmarking import benchmark
    from napari_mitostain.config import StainSettings

    result = benchmark(arguments.size, arguments.repeats, StainSettings(arguments.device, arguments.precision))
    if arguments.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<42} {value:.3f}" if isinstance(value, float) else f"{name:<42} {value}")
