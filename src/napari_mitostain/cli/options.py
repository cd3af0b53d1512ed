"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from napari_mitostain.config import Backend, Device, StainPrecision, StainSettings


def whole_number(text: str) -> int:
    """Parse a whole number; argparse reports anything else with the option's name."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def number(text: str) -> float:
    """Parse a number; see `whole_number`."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None


def plane_shape(text: str) -> tuple[int, int]:
    """Parse the shape of a plane: one side of a square, or height and width as in 700x1100."""
    sides = text.lower().split("x")
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"expected N or HxW pixels, got {text!r}")
    return whole_number(sides[0]), whole_number(sides[-1])


def path(text: str) -> Path:
    """Parse a path; an empty one, such as of a variable that is not set, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty text")
    return Path(text)


def add_compute_options(
    parser: argparse._ActionsContainer, precisions: Any = StainPrecision, default: str = "auto"
) -> None:
    """Add ``--device`` and ``--precision``, the latter with the choices of a type."""
    parser.add_argument("--device", choices=get_args(Device), default=default)
    parser.add_argument("--precision", choices=get_args(precisions), default=default)


def add_stain_options(parser: argparse.ArgumentParser) -> None:
    """Add what `stain_settings` reads."""
    add_compute_options(parser)
    parser.add_argument("--tile", type=whole_number, metavar="N", help="side of a tile in pixels")
    parser.add_argument(
        "--gpu-memory", type=number, metavar="GB", help="memory of a GPU to choose tiles and batches for"
    )
    parser.add_argument(
        "--backend", choices=get_args(Backend), default="torch", help="what runs the network on a processor"
    )
    parser.add_argument("--resample", action="store_true", help="resample to the model's pixel size on the fly")


def stain_settings(arguments: argparse.Namespace) -> StainSettings:
    """Collect the settings of `stain`."""
    return StainSettings(
        arguments.device,
        arguments.precision,
        arguments.tile,
        arguments.resample,
        arguments.gpu_memory,
        arguments.backend,
    )


def add_weighting(parser: argparse._ActionsContainer) -> None:
    """Add ``--weighting``, a file for `weighing.read_weighting`."""
    parser.add_argument(
        "--weighting", type=path, metavar="FILE.json", help="coefficients of the TN weights, as the viewer saves them"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, the last line of standard output")
