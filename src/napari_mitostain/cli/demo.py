"""`mitostain demo`: the viewer on sample data."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_mitostain.errors import SettingsError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="open the viewer on sample data: stack, stain, weight overlay")
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png", help="save a picture of the window and close")
    parser.add_argument("--output", type=Path, metavar="FILE.ome.tif", help="save the stain as well")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Open the viewer."""
    try:
        from napari_mitostain._qt.demo import run_demo
    except ImportError as error:
        raise SettingsError(
            f'Expected a Qt binding for the viewer, got {error}; install "napari-mitostain[all]".'
        ) from error
    run_demo(arguments.screenshot, arguments.output)
