"""`mitostain stain`: a file or a folder of brightfield images to stains."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from napari_mitostain.cli.options import add_json, add_stain_options, path, stain_settings, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.errors import MitostainError, SettingsError
from napari_mitostain.model.library import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_mitostain.config import StainSettings
    from napari_mitostain.events import Event
    from napari_mitostain.model.loading import Model
    from napari_mitostain.staining.crew import Crew


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("stain", help="predict the mitochondria of brightfield images")
    parser.add_argument("input", type=path, help="TIFF, OME-Zarr or PNG, or a folder of them")
    parser.add_argument(
        "output", type=path, help=".ome.tif, .tif, .zarr or .png; for a folder, a folder of the same names"
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="M",
        help="an installed model's name, a .safetensors file, or the folder of a run",
    )
    parser.add_argument("--channel", type=whole_number, metavar="N", help="channel of brightfield, from 0")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist and would differ")
    parser.add_argument(
        "--workers",
        type=whole_number,
        metavar="N",
        help="processes on this machine; by default one for each GPU or, for a large folder, each core, else one",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="use the workers of a dask.distributed scheduler: tcp://HOST:PORT, or its scheduler file",
    )
    add_stain_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Stain, and say what was written; as JSON also where an image could not be stained."""
    from napari_mitostain.events import FileDone, Notice  # torch is loaded only by the commands that compute
    from napari_mitostain.model.loading import load_model

    settings = stain_settings(arguments)
    model = load_model(arguments.model)
    started = time.monotonic()
    done, notices, failure = list[FileDone](), list[str](), None
    try:
        with _processes(arguments) as crew:
            for event in drain(_events(arguments, model, settings, crew), arguments.input.name):
                if isinstance(event, FileDone):
                    done.append(event)
                if isinstance(event, Notice):
                    notices.append(event.message)
    except MitostainError as error:
        failure = error
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; the same command goes on with what is finished") from None
    seconds, kept = round(time.monotonic() - started, 3), sum(event.kept for event in done)
    if kept:
        notices.append(
            f"{kept} of {len(done)} images were stained by an earlier run; the digests are those it recorded."
        )
        print(f"mitostain: {notices[-1]}", file=sys.stderr)
    if arguments.json:
        result = {"outputs": [event.output for event in done], "notices": notices, "seconds": seconds}
        result |= {"model": model.card.name, "model_sha256": model.sha256, "settings": settings.to_dict()}
        print(json.dumps(result), flush=True)
    if failure is not None:
        raise failure
    if not arguments.json:
        print(f"{len(done)} image(s) stained with {model.card.name} in {seconds:.1f} s: {arguments.output}")
        print(model.card.limits)


def _processes(arguments: argparse.Namespace) -> AbstractContextManager[Crew | None]:
    """Return the processes that do the work: of a cluster, of this machine, or None for this one alone."""
    from napari_mitostain.staining.cluster import cluster_crew
    from napari_mitostain.staining.crew import local_crew, suitable_workers

    if arguments.scheduler is not None:
        if arguments.workers is not None:
            raise SettingsError("Expected either --scheduler or --workers, got both; leave one out.")
        return cluster_crew(arguments.scheduler)
    if arguments.workers is not None and arguments.workers < 1:
        raise SettingsError(
            f"Expected at least 1 worker, got {arguments.workers}; leave --workers out for the default."
        )
    workers, gpus = suitable_workers(arguments.input, arguments.device, arguments.workers)
    return nullcontext() if workers == 1 else local_crew(workers, gpus)


def _events(arguments: argparse.Namespace, model: Model, settings: StainSettings, crew: Crew | None) -> Iterator[Event]:
    """Return the events of the job."""
    from napari_mitostain.image.files import is_image_folder
    from napari_mitostain.staining import stain_file, stain_folder
    from napari_mitostain.staining.spread import stain_spread

    source, output, channel, overwrite = arguments.input, arguments.output, arguments.channel, arguments.overwrite
    if crew is not None:
        return stain_spread(source, output, model, arguments.model, crew, settings, channel, overwrite)
    job = stain_folder if is_image_folder(source) else stain_file
    return job(source, output, model, settings, channel, overwrite)
