"""The command line: `mitostain`."""

from napari_mitostain.cli.main import main

__all__ = ["main"]
