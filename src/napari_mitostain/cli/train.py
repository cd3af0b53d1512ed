"""`mitostain train`: a generator from pairs of brightfield and fluorescence."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import get_args

from tqdm import tqdm

from napari_mitostain.cli.options import add_compute_options, add_weighting, number, path, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.config import DiscriminatorLoss, GeneratorLoss, Split, TrainSettings
from napari_mitostain.errors import SettingsError

_DEFAULTS = TrainSettings(epochs=40)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a generator on pairs",
        argument_default=argparse.SUPPRESS,  # options that are not given are absent, not at a default
    )
    parser.add_argument("pairs", type=path, help="folder with brightfield/ and mitochondria/, same file names in both")
    parser.add_argument("--output", type=path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--init", default="none", metavar="MODEL", help="model to start from, or none")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=whole_number, metavar="N", help=f"default {_DEFAULTS.epochs}")
    length.add_argument("--minutes", type=number, metavar="M")
    parser.add_argument("--batch-size", type=whole_number, metavar="B")
    parser.add_argument("--patch", type=whole_number, metavar="N", help="side of a patch in pixels")
    parser.add_argument("--crops-per-frame", type=whole_number, metavar="N")
    parser.add_argument(
        "--minimum-area",
        type=number,
        metavar="F",
        help="drop crops with less mitochondria",
    )
    parser.add_argument("--learning-rate", type=number, metavar="R")
    parser.add_argument("--generator-loss", choices=get_args(GeneratorLoss))
    parser.add_argument("--discriminator-loss", choices=get_args(DiscriminatorLoss))
    add_weighting(parser)
    parser.add_argument("--weight-l1", type=number, metavar="LAMBDA")
    parser.add_argument("--split", choices=get_args(Split))
    parser.add_argument(
        "--holdout", nargs="*", metavar="NAME", help="acquisitions to validate on; without a name, none"
    )
    parser.add_argument(
        "--pixel-size", type=number, dest="pixel_size_um", metavar="UM", help="micrometres, for the model's card"
    )
    parser.add_argument("--seed", type=whole_number, metavar="S")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each event")
    add_compute_options(parser, argparse.SUPPRESS)
    parser.set_defaults(run=run, resume=False, json=False)


def run(arguments: argparse.Namespace) -> None:
    """Train, and say where the model is."""
    from napari_mitostain.events import PASSING, RunDone, RunStarted
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.training.run import RunFolder
    from napari_mitostain.training.trainer import train

    init = None if arguments.init == "none" else load_model(arguments.init)
    events = train(arguments.pairs, arguments.output, _settings(arguments), init, arguments.resume)
    try:
        for event in drain(events, arguments.output.name):
            if arguments.json and not isinstance(event, PASSING):
                print(json.dumps(event.to_dict()), flush=True)
            if isinstance(event, RunStarted) and not arguments.json:
                _say_held_out(event.acquisitions)
            if isinstance(event, RunDone) and not arguments.json:
                scores = "".join(f"  {name} {value:.3f}" for name, value in event.scores.items())
                print(f"Trained {event.model}{scores}")
    except KeyboardInterrupt:
        if not RunFolder(arguments.output).checkpoint.exists():
            raise
        raise KeyboardInterrupt("interrupted; the same command with --resume goes on from the checkpoint") from None


def _say_held_out(acquisitions: Mapping[str, list[str]]) -> None:
    """Name the acquisitions that only validate; a split by patch has none."""
    if held := sorted({*acquisitions["validation"]} - {*acquisitions["training"]}):
        tqdm.write(f"mitostain: held out for validation: {', '.join(held)}", file=sys.stderr)


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    """Lay the options that were given over the defaults or, when resuming, over what the run has."""
    from napari_mitostain.training.run import RunFolder
    from napari_mitostain.weighing import read_weighting

    own = RunFolder(arguments.output).config().settings if arguments.resume else _DEFAULTS
    given = {field.name: getattr(arguments, field.name) for field in fields(own) if hasattr(arguments, field.name)}
    if "holdout" in given:
        given["holdout"] = tuple(given["holdout"])
    if "weighting" in given:
        given["weighting"] = read_weighting(arguments.weighting)
    if "epochs" in given or "minutes" in given:
        given = {"epochs": None, "minutes": None} | given
    try:
        return replace(own, **given)
    except SettingsError as error:
        raise SettingsError(_by_option(str(error), given)) from error


def _by_option(message: str, given: Iterable[str]) -> str:
    """Name the setting that a message begins with as the option that gave it."""
    options = {name: f"--{name.removesuffix('_um').replace('_', '-')}" for name in given}
    return re.sub(r"(?<=^Expected )\w+(?= to be )", lambda found: options.get(found[0], found[0]), message)
