"""A parser whose complaints are one sentence, as all others of the command line are."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

WRONG_INPUT = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments without the lines on usage, which ``--help`` prints; so do its commands."""

    def error(self, message: str) -> NoReturn:
        """Print the message on one line of standard error, and end the process."""
        print(f"mitostain: {' '.join(message.split())}; see {self.prog} --help.", file=sys.stderr)
        raise SystemExit(WRONG_INPUT)
