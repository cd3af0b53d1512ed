"""`mitostain train`: a generator from pairs of brightfield and fluorescence."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import get_args

from napari_mitostain.cli.options import add_compute_options, add_weighting, weight_settings, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.config import DiscriminatorLoss, GeneratorLoss, Split, TrainSettings

_DEFAULTS = TrainSettings(epochs=40)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("train", help="train a generator on pairs")
    parser.add_argument("pairs", type=Path, help="folder with brightfield/ and mitochondria/, same file names in both")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--init", default="none", metavar="MODEL", help="model to start from, or none")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=whole_number, metavar="N", help=f"default {_DEFAULTS.epochs}")
    length.add_argument("--minutes", type=float, metavar="M")
    parser.add_argument("--batch-size", type=whole_number, default=_DEFAULTS.batch_size, metavar="B")
    parser.add_argument(
        "--patch", type=whole_number, default=_DEFAULTS.patch, metavar="N", help="side of a patch in pixels"
    )
    parser.add_argument("--crops-per-frame", type=whole_number, default=_DEFAULTS.crops_per_frame, metavar="N")
    parser.add_argument(
        "--minimum-area",
        type=float,
        default=_DEFAULTS.minimum_area,
        metavar="F",
        help="drop crops with less mitochondria",
    )
    parser.add_argument("--learning-rate", type=float, default=_DEFAULTS.learning_rate, metavar="R")
    parser.add_argument("--generator-loss", choices=get_args(GeneratorLoss), default=_DEFAULTS.generator_loss)
    parser.add_argument(
        "--discriminator-loss", choices=get_args(DiscriminatorLoss), default=_DEFAULTS.discriminator_loss
    )
    add_weighting(parser)
    parser.add_argument("--weight-l1", type=float, default=_DEFAULTS.weight_l1, metavar="LAMBDA")
    parser.add_argument("--split", choices=get_args(Split), default=_DEFAULTS.split)
    parser.add_argument(
        "--holdout", nargs="*", metavar="NAME", help="acquisitions to validate on; without a name, none"
    )
    parser.add_argument("--pixel-size", type=float, metavar="UM", help="micrometres, for the model's card")
    parser.add_argument("--seed", type=whole_number, default=_DEFAULTS.seed, metavar="S")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each event")
    add_compute_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train, and say where the model is."""
    from napari_mitostain.events import RunDone, StepDone
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.training.trainer import train

    init = None if arguments.init == "none" else load_model(arguments.init)
    events = train(arguments.pairs, arguments.output, _settings(arguments), init, arguments.resume)
    for event in drain(events, arguments.output.name):
        if arguments.json and not isinstance(event, StepDone):
            print(json.dumps(event.to_dict()), flush=True)
        if isinstance(event, RunDone) and not arguments.json:
            print(f"Trained {event.model}" + "".join(f"  {name} {value:.3f}" for name, value in event.scores.items()))


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    unlimited = arguments.epochs is None and arguments.minutes is None
    return TrainSettings(
        epochs=_DEFAULTS.epochs if unlimited else arguments.epochs,
        minutes=arguments.minutes,
        batch_size=arguments.batch_size,
        patch=arguments.patch,
        crops_per_frame=arguments.crops_per_frame,
        minimum_area=arguments.minimum_area,
        learning_rate=arguments.learning_rate,
        generator_loss=arguments.generator_loss,
        weighting=weight_settings(arguments),
        discriminator_loss=arguments.discriminator_loss,
        weight_l1=arguments.weight_l1,
        split=arguments.split,
        holdout=None if arguments.holdout is None else tuple(arguments.holdout),
        seed=arguments.seed,
        device=arguments.device,
        precision=arguments.precision,
        pixel_size_um=arguments.pixel_size,
    )
