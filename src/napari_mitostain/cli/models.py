"""`mitostain models`: which models are installed, their cards, and how they come, go elsewhere, or are removed."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from napari_mitostain.cli.options import add_json, path
from napari_mitostain.errors import ModelError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("models", help="list the installed models, show, import, export or remove one")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="names and summaries of the installed models, and the folder of your own")
    add_json(listing)
    listing.set_defaults(run=run_list)
    showing = actions.add_parser("show", help="the card of a model")
    showing.add_argument("model", help="an installed model's name, a .safetensors file, or the folder of a run")
    add_json(showing)
    showing.set_defaults(run=run_show)
    importing = actions.add_parser("import", help="copy a model to your own, by whose name it then is chosen")
    importing.add_argument(
        "file",
        help="a .safetensors file with its .json card, the folder of a run, or a bioimage.io package exported here",
    )
    importing.add_argument("--name", help="by default that on its card")
    importing.set_defaults(run=run_import)
    exporting = actions.add_parser("export", help="copy a model to a file, for mitostain or for other programs")
    exporting.add_argument("model", help="an installed model's name, a .safetensors file, or the folder of a run")
    exporting.add_argument("file", type=path, help="ends in .safetensors, a bioimage.io package in .zip")
    exporting.add_argument(
        "--format",
        choices=["mitostain", "bioimageio"],
        default="mitostain",
        help="safetensors with a JSON card beside it (default), or a bioimage.io package",
    )
    exporting.add_argument("--overwrite", action="store_true", help="replace files that exist")
    exporting.set_defaults(run=run_export)
    removing = actions.add_parser("remove", help="delete a model of your own")
    removing.add_argument("model", help="its name")
    removing.set_defaults(run=run_remove)


def run_list(arguments: argparse.Namespace) -> None:
    """Print a line for each model and the user's folder; on standard error, what is wrong with those not listed."""
    from napari_mitostain.model.library import load_card, model_files, user_models

    summaries = {}
    for name, weights in model_files().items():
        try:
            summaries[name] = load_card(weights).summary
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


def run_import(arguments: argparse.Namespace) -> None:
    """Copy a model to the user's own, and say by which name it is chosen."""
    from napari_mitostain.model.bioimageio import unpacked
    from napari_mitostain.model.library import find_weights, install_model, is_package
    from napari_mitostain.model.loading import load_model

    package = Path(arguments.file)
    with unpacked(package) if is_package(package) else nullcontext(arguments.file) as source:
        model = load_model(source)  # whose weights have to fit its card
        name = install_model(find_weights(source), arguments.name or model.card.name)
    print(f"Imported as {name}")


def run_export(arguments: argparse.Namespace) -> None:
    """Copy a model to a file, and say where it is."""
    if arguments.format == "bioimageio":
        from napari_mitostain.model.bioimageio import export_package

        export, told = export_package, "a bioimage.io package"
    else:
        from napari_mitostain.model.library import export_model

        export, told = export_model, "its card beside it"
    export(arguments.model, arguments.file, arguments.overwrite)
    print(f"Exported to {arguments.file}, {told}")


def run_remove(arguments: argparse.Namespace) -> None:
    """Delete a model, and say where it was."""
    from napari_mitostain.model.library import remove_model

    print(f"Removed {remove_model(arguments.model)}")
