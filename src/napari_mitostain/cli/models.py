"""`mitostain models`: which models are installed, their cards, and how to be rid of one."""

from __future__ import annotations

import argparse
import json
import sys

from napari_mitostain.cli.options import add_json
from napari_mitostain.errors import ModelError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("models", help="list the installed models, show a card, remove one")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="names and summaries of the installed models, and the folder of your own")
    add_json(listing)
    listing.set_defaults(run=run_list)
    showing = actions.add_parser("show", help="the card of a model")
    showing.add_argument("model", help="an installed model's name, a .safetensors file, or the folder of a run")
    add_json(showing)
    showing.set_defaults(run=run_show)
    removing = actions.add_parser("remove", help="delete a model of your own")
    removing.add_argument("model", help="its name")
    removing.set_defaults(run=run_remove)


def run_list(arguments: argparse.Namespace) -> None:
    """Print a line for each model and the user's folder; on standard error, what is wrong with those not listed."""
    from napari_mitostain.model.library import load_card, model_files, user_models

    summaries = {}
    for name, path in model_files().items():
        try:
            summaries[name] = load_card(path).summary
        except ModelError as error:
            print(f"mitostain: {error}", file=sys.stderr)
    if arguments.json:
        models = [{"name": name, "summary": summary} for name, summary in summaries.items()]
        print(json.dumps({"models": models, "folder": str(user_models())}))
        return
    for name, summary in summaries.items():
        print(f"{name:<20} {summary}")
    print(f"Your own models (.safetensors with its .json card) are looked for in {user_models()}")


def run_show(arguments: argparse.Namespace) -> None:
    """Print a card."""
    from napari_mitostain.model.library import load_card

    card = load_card(arguments.model)
    print(json.dumps(json.loads(card.to_json())) if arguments.json else card.to_text())


def run_remove(arguments: argparse.Namespace) -> None:
    """Delete a model, and say where it was."""
    from napari_mitostain.model.library import remove_model

    print(f"Removed {remove_model(arguments.model)}")
