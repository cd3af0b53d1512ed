"""`mitostain train`: a generator from pairs of brightfield and fluorescence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tqdm import tqdm

from napari_mitostain.cli.options import path, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.cli.train_options import add_settings, settings_of
from napari_mitostain.errors import SettingsError

if TYPE_CHECKING:
    from napari_mitostain.events import Event, Finding, RunDone
    from napari_mitostain.training.spec import PairsSpec


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("train", help="train or fine-tune a generator on pairs")
    parser.add_argument(
        "pairs",
        type=path,
        nargs="?",
        help="folder with brightfield/ and mitochondria/, same file names in both; not needed to resume",
    )
    parser.add_argument("--output", type=path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--init", metavar="MODEL", help="model to start from, or none; by default none, the bundled one if quick"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each event")
    _add_pairs(parser.add_argument_group("pairs"))
    add_settings(parser)
    parser.set_defaults(run=run)


def _add_pairs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mitochondria", type=path, metavar="M", help="fluorescence of the brightfield in PAIRS, each a file or folder"
    )
    group.add_argument("--brightfield-channel", type=whole_number, metavar="N", help="from 0")
    group.add_argument("--mitochondria-channel", type=whole_number, metavar="N", help="from 0")
    group.add_argument(
        "--shift",
        type=_shift,
        action="append",
        default=[],
        metavar="NAME=DY,DX",
        help="move the fluorescence of an acquisition by rows and columns; can be given for each",
    )
    group.add_argument("--skip-unreadable", action="store_true", help="leave out images that cannot be used")


def run(arguments: argparse.Namespace) -> None:
    """Train, and say where the model is."""
    from napari_mitostain.events import PASSING, Finding, RunDone, RunStarted
    from napari_mitostain.training.run import RunFolder

    findings: list[Finding] = []
    try:
        for event in drain(_events(arguments), arguments.output.name):
            if arguments.json and not isinstance(event, PASSING):
                print(json.dumps(event.to_dict()), flush=True)
            if isinstance(event, Finding):
                findings.append(event)
            if isinstance(event, RunStarted):  # until then an error may come, which says all that is to be said
                _say_findings(findings)
            if isinstance(event, RunDone) and not arguments.json:
                print(_done(event))
    except KeyboardInterrupt:
        if not RunFolder(arguments.output).checkpoint.exists():
            raise
        raise KeyboardInterrupt("interrupted; the same command with --resume goes on from the checkpoint") from None


def _events(arguments: argparse.Namespace) -> Iterator[Event]:
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.training.trainer import train

    if arguments.pairs is None and not arguments.resume:
        raise SettingsError("Expected a folder of pairs, got none; name it, or give --resume to go on with a run.")
    if arguments.resume:
        _lengthen(arguments)
    name = "none" if arguments.resume else arguments.init or _usual_start(arguments)
    init = None if name == "none" else load_model(name)
    return train(_pairs(arguments), arguments.output, settings_of(arguments), init, arguments.resume)


def _usual_start(arguments: argparse.Namespace) -> str:
    """Return the model to start from where none is named, as the dock widget would."""
    from napari_mitostain.model.library import DEFAULT_MODEL
    from napari_mitostain.training.presets import PRESETS

    preset = PRESETS.get(getattr(arguments, "preset", ""))
    return DEFAULT_MODEL if preset is not None and preset.adapts else "none"


def _lengthen(arguments: argparse.Namespace) -> None:
    """Let a run that is resumed go on to a later end than it had, if one is given; the first process does."""
    from napari_mitostain.training.distributed import is_first_process
    from napari_mitostain.training.run import RunFolder

    if not is_first_process():
        return
    folder = RunFolder(arguments.output)
    own = folder.config().settings
    for unit, end in (("epochs", own.epochs), ("minutes", own.minutes)):
        wanted = getattr(arguments, unit, None)
        if end is not None and wanted is not None and wanted > end:
            folder.extend(**{unit: wanted}, in_all=True)


def _pairs(arguments: argparse.Namespace) -> PairsSpec | None:
    """Say where the pairs are; None leaves it to what a run has recorded."""
    from napari_mitostain.training.spec import PARTS, PairsSpec

    if arguments.pairs is None:
        return None
    apart = arguments.mitochondria is not None
    return PairsSpec(
        arguments.pairs if apart else arguments.pairs / PARTS[0],
        arguments.mitochondria if apart else arguments.pairs / PARTS[1],
        arguments.brightfield_channel,
        arguments.mitochondria_channel,
        dict(arguments.shift),
        arguments.skip_unreadable,
    )


def _shift(text: str) -> tuple[str, tuple[int, int]]:
    """Parse ``NAME=DY,DX``."""
    name, _, numbers = text.rpartition("=")
    try:
        rows, columns = (int(number) for number in numbers.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=DY,DX such as field_1=3,-2, got {text!r}") from None
    return name, (rows, columns)


def _say_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        offer = ""
        if finding.shift is not None:
            offer = f" (--shift {finding.acquisition}={finding.shift[0]},{finding.shift[1]})"
        tqdm.write(f"mitostain: {finding.severity}: {finding.message}{offer}", file=sys.stderr)


def _done(event: RunDone) -> str:
    best = "" if event.epoch is None else f"  epoch {event.epoch}"
    scores = "".join(f"  {name} {value:.3f}" for name, value in event.scores.items())
    return "\n".join(filter(None, [f"Trained {event.model}{best}{scores}", event.verdict]))
