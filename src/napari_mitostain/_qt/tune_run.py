"""One press of the Start button: what is taken from the viewer, and what speaks against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_mitostain._qt.layer_pairs import LayerPairs
from napari_mitostain._qt.layers import layer_stack
from napari_mitostain._qt.tune_job import TunePlan
from napari_mitostain._qt.tune_request import LayerChoice, PairsChoice, TuneRequest
from napari_mitostain.errors import ImageError
from napari_mitostain.image import Stack
from napari_mitostain.training.registry import new_run_path
from napari_mitostain.training.spec import PairsSpec, pairs_in


def pairs_objection(pairs: PairsChoice) -> str:
    """Return what is missing, or wrong at first sight, about the choice of pairs; "" if nothing is."""
    if pairs.source == "folder":
        return "" if pairs.folder else "Choose a folder that holds brightfield/ and mitochondria/."
    if pairs.source == "two":
        if not (pairs.brightfield_folder and pairs.mitochondria_folder):
            return "Choose the folders of brightfield and of mitochondria."
        return "" if pairs.brightfield_folder != pairs.mitochondria_folder else "Choose two different folders."
    chosen = pairs.brightfield, pairs.mitochondria
    if any(choice.layer is None for choice in chosen):
        return "Open images of brightfield and of mitochondria, or choose a folder."
    if chosen[0] == chosen[1]:
        return "Choose two different layers, or two channels of one."
    try:
        for choice in chosen:
            _stack(choice)
    except ImageError as error:
        return str(error)
    return ""


def objection(request: TuneRequest) -> str:
    """Return the sentence that says why a run cannot start as it is, "" if nothing speaks against it so far."""
    return pairs_objection(request.pairs) or ("" if request.name else "Give the run a name.")


def make_plan(request: TuneRequest) -> TunePlan:
    """Freeze a request that nothing speaks against; the run's folder is one that is not there yet.

    Raises
    ------
    ImageError
        If a layer cannot be a stack.
    FileError
        If no folder can have the run's name, or the place is closed to the user.
    """
    folder = Path(request.folder).expanduser() if request.folder else None
    return TunePlan(_pairs(request.pairs), request.model, request.settings, new_run_path(request.name or "run", folder))


def _pairs(pairs: PairsChoice) -> PairsSpec | LayerPairs:
    shifts = dict(pairs.shifts)
    if pairs.source == "layers":
        choices = pairs.brightfield, pairs.mitochondria
        return LayerPairs(
            stacks=(_stack(choices[0]), _stack(choices[1])),
            channels=(choices[0].channel, choices[1].channel),
            files=(_file(choices[0].layer), _file(choices[1].layer)),
            shift=next(iter(shifts.values()), (0, 0)),  # they are one acquisition
        )
    rest: dict[str, Any] = {
        "brightfield_channel": pairs.brightfield_channel,
        "mitochondria_channel": pairs.mitochondria_channel,
        "shifts": shifts,
        "skip_unreadable": pairs.skip_unreadable,
    }
    if pairs.source == "folder":
        return pairs_in(Path(pairs.folder).expanduser(), **rest)
    return PairsSpec(Path(pairs.brightfield_folder).expanduser(), Path(pairs.mitochondria_folder).expanduser(), **rest)


def _stack(choice: LayerChoice) -> Stack:
    assert choice.layer is not None, "nothing is made of no layer"
    return layer_stack(choice.layer, choice.channel_axis)


def _file(layer: Image | None) -> str:
    """Return the file of a layer that reads its pixels as they are wanted, "" for one in memory."""
    assert layer is not None, "nothing is made of no layer"
    data = layer.data[0] if layer.multiscale else layer.data
    return "" if isinstance(data, np.ndarray) or not layer.source.path else str(layer.source.path)
