"""Pairs from two layers: checked as they are, trained on from files, so that a run can be resumed after a restart."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import MitostainError
from napari_mitostain.events import Event
from napari_mitostain.image import Stack
from napari_mitostain.image.files import read_stack
from napari_mitostain.training.spec import PairsSpec

if TYPE_CHECKING:
    from napari_mitostain.training.pairs import Opened


@dataclass(frozen=True)
class LayerPairs:
    """Two layers, as they were when the user pressed the button.

    Attributes
    ----------
    stacks : tuple of Stack
        Brightfield and fluorescence.
    channels : tuple of int
        Of each.
    files : tuple of str
        That each was opened from, as far as it is read from there bit by bit; "" for one in memory.
    shift : tuple of int
    """

    stacks: tuple[Stack, Stack]
    channels: tuple[int, int]
    files: tuple[str, str] = ("", "")
    shift: tuple[int, int] = (0, 0)


def pairs_of(pairs: PairsSpec | LayerPairs, scaling: ScalingSettings) -> Opened:
    """List the pairs of files or layers; reads no pixels."""
    from napari_mitostain.training.pairs import open_pairs, open_stacks

    if isinstance(pairs, PairsSpec):
        return open_pairs(pairs, scaling)
    return open_stacks([(pairs.stacks[0].name, *pairs.stacks)], scaling, pairs.channels, pairs.shift)


def spec_of(pairs: LayerPairs, output: Path) -> Generator[Event, None, PairsSpec]:
    """Return files that show what two layers show: their own, or copies that are made in the folder of a run.

    Parameters
    ----------
    pairs : LayerPairs
    output : Path
        The run's folder.

    Yields
    ------
    Measured
        After each plane that is copied.
    """
    from napari_mitostain.training.naming import acquisition_names
    from napari_mitostain.training.store import store_pairs

    if all(_shows(file, stack) for file, stack in zip(pairs.files, pairs.stacks, strict=True)):
        spec = PairsSpec(Path(pairs.files[0]), Path(pairs.files[1]), *pairs.channels)
    else:
        spec = yield from store_pairs(*pairs.stacks, pairs.channels, output / "pairs")
    if pairs.shift == (0, 0):
        return spec
    name = spec.brightfield.name
    return replace(spec, shifts={acquisition_names([name])[name]: pairs.shift})


def _shows(file: str, stack: Stack) -> bool:
    """Tell whether a file opens to what a layer shows: its size and type, and pixel by pixel its ends."""
    if not file:
        return False
    try:
        own = read_stack(file)
        if _looks(own) != _looks(stack):
            return False
        ends = own.planes()[0], own.planes()[-1]
        return all(np.array_equal(own.read(index), stack.read(index)) for index in ends)
    except MitostainError:
        return False


def _looks(stack: Stack) -> tuple[object, ...]:
    return stack.shape, np.dtype(stack.data.dtype), *(stack.axes.find(letter) for letter in "CYX")
