"""`mitostain stain`: a file or a folder of brightfield images to stains."""

from __future__ import annotations

import argparse
import json
import time

from napari_mitostain.cli.options import add_json, add_stain_options, path, stain_settings, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.errors import MitostainError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("stain", help="predict the mitochondria of brightfield images")
    parser.add_argument("input", type=path, help="TIFF, OME-Zarr or PNG, or a folder of them")
    parser.add_argument(
        "output", type=path, help=".ome.tif, .tif, .zarr or .png; for a folder, a folder of the same names"
    )
    parser.add_argument(
        "--model",
        default=None,
        metavar="M",
        help="an installed model's name, a .safetensors file, or the folder of a run",
    )
    parser.add_argument("--channel", type=whole_number, metavar="N", help="channel of brightfield, from 0")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    add_stain_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Stain, and say what was written; as JSON also where an image could not be stained."""
    from napari_mitostain.events import FileDone, Notice  # torch is loaded only by the commands that compute
    from napari_mitostain.image.files import is_image_folder
    from napari_mitostain.model.library import DEFAULT_MODEL
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.staining import stain_file, stain_folder

    settings = stain_settings(arguments)
    model = load_model(DEFAULT_MODEL if arguments.model is None else arguments.model)
    job = stain_folder if is_image_folder(arguments.input) else stain_file
    started = time.monotonic()
    outputs, notices, failure = list[str](), list[str](), None
    events = job(arguments.input, arguments.output, model, settings, arguments.channel, arguments.overwrite)
    try:
        for event in drain(events, arguments.input.name):
            if isinstance(event, FileDone):
                outputs.append(event.output)
            if isinstance(event, Notice):
                notices.append(event.message)
    except MitostainError as error:
        failure = error
    seconds = round(time.monotonic() - started, 3)
    if arguments.json:
        result = {"outputs": outputs, "notices": notices, "seconds": seconds}
        result |= {"model": model.card.name, "model_sha256": model.sha256, "settings": settings.to_dict()}
        print(json.dumps(result), flush=True)
    if failure is not None:
        raise failure
    if not arguments.json:
        print(f"Stained {len(outputs)} image(s) in {seconds:.1f} s with {model.card.name}: {arguments.output}")
        print(model.card.limits)
