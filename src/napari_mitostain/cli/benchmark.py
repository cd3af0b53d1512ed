"""`mitostain benchmark`: speed as ratios, measured in one run."""

from __future__ import annotations

import argparse
import json

from napari_mitostain.cli.options import add_compute_options, add_json, plane_shape, whole_number


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "benchmark", help="time staining, weighing and training against bare networks, MONAI, NumPy and pix2pix"
    )
    parser.add_argument(
        "--size", type=plane_shape, default=(1024, 1024), metavar="N|HxW", help="of the plane in pixels"
    )
    parser.add_argument("--repeats", type=whole_number, default=5, metavar="N")
    parser.add_argument("--full", action="store_true", help="let sizes grow to 16384² pixels and 500 planes")
    add_compute_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the times and the ratios."""
    from napari_mitostain.benchmarking import benchmark
    from napari_mitostain.config import StainSettings

    settings = StainSettings(arguments.device, arguments.precision)
    result = benchmark(arguments.size, arguments.repeats, settings, arguments.full)
    if arguments.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<42} {value:.3f}" if isinstance(value, float) else f"{name:<42} {value}")
