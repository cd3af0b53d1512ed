"""`mitostain demo`: the viewer on sample data."""

from __future__ import annotations

import argparse
import os
import sys

from napari_mitostain.cli.options import path
from napari_mitostain.errors import SettingsError

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
"""Variables of the environment, one of which tells Qt where to draw."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="open the viewer on sample data: stack, stain, weight overlay")
    parser.add_argument("--screenshot", type=path, metavar="FILE.png", help="save a picture of the window and close")
    parser.add_argument("--output", type=path, metavar="FILE.ome.tif", help="save the stain as well")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Open the viewer."""
    if sys.platform == "linux" and not any(map(os.environ.get, _DISPLAYS)):  # Qt would abort the process
        raise SettingsError("Expected a display for the viewer, got none; set DISPLAY or run it under xvfb-run.")
    try:
        from napari_mitostain._qt.demo import run_demo
    except ImportError as error:
        raise SettingsError(
            f'Expected a Qt binding for the viewer, got {error}; install "napari-mitostain[all]".'
        ) from error
    run_demo(arguments.screenshot, arguments.output, arguments.overwrite)
