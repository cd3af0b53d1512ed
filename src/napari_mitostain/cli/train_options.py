"""The options of `mitostain train` that are its settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import get_args

from napari_mitostain.cli.options import add_compute_options, add_weighting, number, whole_number
from napari_mitostain.config import (
    Discriminator,
    DiscriminatorLoss,
    GeneratorLoss,
    Precision,
    Schedule,
    Split,
    TrainSettings,
)
from napari_mitostain.errors import SettingsError

_DEFAULTS = TrainSettings(epochs=40)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting; what is not given is absent, not at a default."""
    group = parser.add_argument_group("settings", argument_default=argparse.SUPPRESS)
    group.add_argument("--preset", metavar="NAME", help="quick, thorough or paper; other options change it")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=whole_number, metavar="N", help=f"default {_DEFAULTS.epochs}")
    length.add_argument("--minutes", type=number, metavar="M")
    group.add_argument("--batch-size", type=whole_number, metavar="B")
    group.add_argument("--patch", type=whole_number, metavar="N", help="side of a patch in pixels")
    group.add_argument("--crops-per-frame", type=whole_number, metavar="N")
    group.add_argument("--minimum-area", type=number, metavar="F", help="drop crops with less mitochondria")
    group.add_argument("--turns", action=argparse.BooleanOptionalAction, help="flip patches and turn them")
    group.add_argument("--warp", action=argparse.BooleanOptionalAction, help="turn by any angle, zoom and stretch them")
    group.add_argument("--intensity", action=argparse.BooleanOptionalAction, help="vary contrast and noise")
    group.add_argument("--learning-rate", type=number, metavar="R")
    group.add_argument("--schedule", choices=get_args(Schedule), help="of the learning rate")
    group.add_argument("--clip-gradients", type=number, metavar="NORM")
    group.add_argument("--ema", type=number, metavar="DECAY", help="of the moving average of the generator")
    group.add_argument(
        "--match-brightness", action=argparse.BooleanOptionalAction, help="stains as bright as the fluorescence"
    )
    group.add_argument("--generator-loss", choices=get_args(GeneratorLoss))
    group.add_argument("--discriminator", choices=get_args(Discriminator))
    group.add_argument("--discriminator-loss", choices=get_args(DiscriminatorLoss))
    group.add_argument("--weight-adversarial", type=number, metavar="W")
    group.add_argument("--weight-l1", type=number, metavar="LAMBDA")
    group.add_argument("--weight-correlation", type=number, metavar="W", help="0, the default, leaves the term out")
    add_weighting(group)
    group.add_argument("--split", choices=get_args(Split))
    group.add_argument("--holdout", nargs="*", metavar="NAME", help="acquisitions to validate on; without a name, none")
    group.add_argument("--validation-share", type=number, metavar="F", help="part that chooses the best epoch")
    group.add_argument("--test-share", type=number, metavar="F", help="part that scores the best epoch in the end")
    group.add_argument("--base-channels", type=whole_number, metavar="N", help="width of a new generator")
    group.add_argument("--depth", type=whole_number, metavar="N", help="halvings of a new generator")
    group.add_argument(
        "--pixel-size", type=number, dest="pixel_size_um", metavar="UM", help="micrometres, for the card"
    )
    group.add_argument("--seed", type=whole_number, metavar="S")
    add_compute_options(group, Precision, argparse.SUPPRESS)


def settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """Lay the options that were given over the preset, the defaults or, when resuming, over what the run has."""
    from napari_mitostain.weighing import read_weighting

    own = _own(arguments)
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


def _own(arguments: argparse.Namespace) -> TrainSettings:
    from napari_mitostain.training.presets import PRESETS
    from napari_mitostain.training.run import RunFolder

    if arguments.resume:
        return RunFolder(arguments.output).config().settings
    if not hasattr(arguments, "preset"):
        return _DEFAULTS
    if arguments.preset not in PRESETS:
        raise SettingsError(
            f"Expected a preset among {', '.join(PRESETS)}, got {arguments.preset!r}; choose one of them."
        )
    return PRESETS[arguments.preset].settings


def _by_option(message: str, given: Iterable[str]) -> str:
    """Name the setting that a message begins with as the option that gave it."""
    options = {name: f"--{name.removesuffix('_um').replace('_', '-')}" for name in given}
    return re.sub(r"(?<=^Expected )\w+(?= to be )", lambda found: options.get(found[0], found[0]), message)
