"""`mitostain simulate`: a folder of simulated pairs, for training and for trying things out."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

from napari_mitostain.cli.options import add_json, number, path, whole_number
from napari_mitostain.cli.progress import drain
from napari_mitostain.config import SimulationSettings, read_values


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("simulate", help="simulate pairs of brightfield and mitochondria")
    parser.add_argument("output", type=path, help="folder for brightfield/ and mitochondria/; what is there is kept")
    parser.add_argument("--cells", type=whole_number, required=True, metavar="N", help="number of pairs")
    parser.add_argument("--size", type=whole_number, metavar="S", help="rows and columns; default 512")
    parser.add_argument(
        "--planes", type=whole_number, metavar="P", help="focal planes, a z-stack if several; default 1"
    )
    parser.add_argument("--times", type=whole_number, metavar="T", help="frames, a time-lapse if several; default 1")
    parser.add_argument("--interval", type=number, metavar="S", help="seconds between frames; default 5")
    parser.add_argument("--seed", type=whole_number, default=0, metavar="K", help="of the first pair; default 0")
    parser.add_argument("--bits", type=whole_number, choices=(8, 16), help="of the images; default 8")
    parser.add_argument(
        "--randomise",
        type=number,
        metavar="R",
        help="how far cells and microscope vary from pair to pair: 0 not at all, 1 (default) as real series do",
    )
    parser.add_argument(
        "--settings", type=path, metavar="FILE.json", help="all other settings, as the simulation.json of a folder"
    )
    parser.add_argument("--overwrite", action="store_true", help="simulate pairs that are there anew")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Simulate, and say what was written."""
    from napari_mitostain.events import PairDone
    from napari_mitostain.simulating import simulate_folder

    settings = _settings(arguments)
    started = time.monotonic()
    events = simulate_folder(arguments.output, arguments.cells, settings, arguments.seed, arguments.overwrite)
    pairs = [event for event in drain(events, arguments.output.name) if isinstance(event, PairDone)]
    seconds = round(time.monotonic() - started, 3)
    if arguments.json:
        names, kept = [pair.name for pair in pairs], [pair.name for pair in pairs if pair.kept]
        result = {"output": str(arguments.output), "pairs": names, "kept": kept, "seconds": seconds}
        print(json.dumps(result | {"seed": arguments.seed, "settings": settings.to_dict()}))
        return
    made = sum(not pair.kept for pair in pairs)
    print(f"Simulated {made} pair(s) in {seconds:.1f} s: {arguments.output}")


def _settings(arguments: argparse.Namespace) -> SimulationSettings:
    """Read the file of settings, if one is given, and change what options say."""
    file = arguments.settings
    settings = SimulationSettings.from_dict({} if file is None else read_values(file, "settings", "correct them"))
    given = {name: getattr(arguments, name) for name in ("planes", "times", "bits", "randomise")}
    given["interval_s"] = arguments.interval
    given["shape"] = None if arguments.size is None else (arguments.size, arguments.size)
    return replace(settings, **{name: value for name, value in given.items() if value is not None})
