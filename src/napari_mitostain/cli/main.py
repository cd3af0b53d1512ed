"""Parse the arguments, run a command, turn errors into one sentence and an exit status."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Protocol

from napari_mitostain.cli import benchmark, demo, evaluate, models, simulate, stain, train, weights
from napari_mitostain.cli.parser import WRONG_INPUT, Parser
from napari_mitostain.errors import MitostainError

DONE, INTERRUPTED, UNHEARD = 0, 130, 141
"""Exit statuses beside `WRONG_INPUT`; as shells do, those of a signal (SIGINT, SIGPIPE) are its number and 128."""


class Command(Protocol):
    """A module of this package."""

    def add(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the command's parser; its default ``run`` takes the parsed arguments."""


_COMMANDS: tuple[Command, ...] = (demo, stain, weights, train, evaluate, simulate, models, benchmark)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 done, 2 wrong input (one sentence on standard error), 130 interrupted, 141 if nobody reads standard output.
    """
    _print_any_text()
    parsed = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = parsed.run
    try:
        run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python flushes into the pipe at its end
        return UNHEARD
    except MitostainError as error:
        print(f"mitostain: {error}", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"mitostain: Expected a place that can be used, got {error.filename} ({error.strerror}); get the right to "
            "use it or choose another.",
            file=sys.stderr,
        )
        return WRONG_INPUT
    except MemoryError as error:
        print(
            f"mitostain: Expected memory for whole planes, got too little ({error}); close other programs.",
            file=sys.stderr,
        )
        return WRONG_INPUT
    except KeyboardInterrupt as stop:
        print(f"mitostain: {str(stop) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _print_any_text() -> None:
    """Let a file name that the terminal cannot show be printed with escapes instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="mitostain", description="See the mitochondria in brightfield, without a dye."
    )
    parser.add_argument("--version", action="version", version=version("napari-mitostain"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
