"""Parse the arguments, run a command, turn errors into one sentence and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Protocol

from napari_mitostain.cli import benchmark, demo, evaluate, models, stain, train, weights
from napari_mitostain.errors import MitostainError

DONE, WRONG_INPUT, INTERRUPTED = 0, 2, 130


class Command(Protocol):
    """A module of this package."""

    def add(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the command's parser; its default ``run`` takes the parsed arguments."""


_COMMANDS: tuple[Command, ...] = (demo, stain, weights, train, evaluate, models, benchmark)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 done, 2 wrong input (one sentence on standard error), 130 interrupted.
    """
    parsed = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = parsed.run
    try:
        run(parsed)
    except MitostainError as error:
        print(f"mitostain: {error}", file=sys.stderr)
        return WRONG_INPUT
    except MemoryError as error:
        print(
            f"mitostain: Expected memory for whole planes, got too little ({error}); close other programs.",
            file=sys.stderr,
        )
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("mitostain: interrupted", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mitostain", description="See the mitochondria in brightfield, without a dye."
    )
    parser.add_argument("--version", action="version", version=version("napari-mitostain"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
