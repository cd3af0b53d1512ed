"""Aligned pairs of brightfield and fluorescence, found in folders; their pixels stay in the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.image import IntensityRange, PlaneIndex, Stack, fill_non_finite, scale_brightfield, sides
from napari_mitostain.image.files import list_images, read_stack
from napari_mitostain.training.pair import Frame, Pair, frame_of

PARTS = ("brightfield", "mitochondria")
"""The folders of a folder of pairs."""

_POSITION = re.compile(r"(_t(?P<time>\d+))?(_z(?P<depth>\d+))?(_\d+)?$", re.IGNORECASE)
"""What a file name says about time, depth and crop within its acquisition."""

_TIME_OR_DEPTH = re.compile(r"_[tz]\d+(_\d+)?\.", re.IGNORECASE)

_SAMPLED_PLANES = 32
"""Planes that tell the range of a stack's fluorescence."""


@dataclass(frozen=True, slots=True)
class PlaneSource:
    """Reads one plane of two stacks and scales it."""

    brightfield: Stack
    brightfield_index: PlaneIndex
    fluorescence: Stack
    fluorescence_index: PlaneIndex
    intensities: IntensityRange
    scaling: ScalingSettings

    def __call__(self) -> Frame:
        """Return the whole frame."""
        plane = self.brightfield.read(self.brightfield_index)
        image = self.fluorescence.read(self.fluorescence_index)
        return frame_of(
            scale_brightfield(plane, self.scaling),
            self.intensities.apply(fill_non_finite(image)),
            bool(np.isfinite(plane).all() and np.isfinite(image).all()),
        )


def open_pairs(folder: Path, scaling: ScalingSettings = ScalingSettings()) -> list[Pair]:
    """List the pairs of a folder with ``brightfield/`` and ``mitochondria/``, same file names in both.

    Parameters
    ----------
    folder : Path
        Stacks count plane by plane.
    scaling : ScalingSettings
        For the brightfield planes.

    Returns
    -------
    list of Pair

    Raises
    ------
    FileError
        If a folder or a partner is missing.
    ImageError
        If the partners differ in size.
    """
    names = [_names(folder / part) for part in PARTS]
    if alone := sorted(names[0] ^ names[1]):
        raise FileError(
            f"Expected the same file names in brightfield and mitochondria of {folder}, got {len(alone)} without "
            f"a partner ({alone[0]}, …); add or remove them."
        )
    files = sorted(names[0])
    acquisitions = acquisition_names(files)
    pairs: list[Pair] = []
    for name in files:
        brightfield, fluorescence = (read_stack(folder / part / name) for part in PARTS)
        pairs += stack_pairs(brightfield, fluorescence, name, acquisitions[name], scaling)
    return pairs


def acquisition_names(files: Sequence[str]) -> dict[str, str]:
    """Map file names to acquisitions: the name without its time ``_t001``, depth ``_z005`` and crop number ``_10``.

    Where that leaves one acquisition for all files, and no name has a time or a depth, the numbers are taken to be
    fields of view, and each file is an acquisition of its own.
    """
    stems = {name: _stem(name) for name in files}
    shortened = {name: _POSITION.sub("", stem) for name, stem in stems.items()}
    numbered = len(set(shortened.values())) == 1 and not any(map(_TIME_OR_DEPTH.search, files))
    return stems if numbered else shortened


def stack_pairs(
    brightfield: Stack, fluorescence: Stack, name: str, acquisition: str, scaling: ScalingSettings = ScalingSettings()
) -> list[Pair]:
    """Pair the planes of two stacks; where they lie in time and depth is read from their axes, else from the name.

    Parameters
    ----------
    brightfield, fluorescence : Stack
        Of the same number and size of planes.
    name : str
        Of the file; a plane of several adds its position.
    acquisition : str
    scaling : ScalingSettings

    Raises
    ------
    ImageError
        If the stacks differ in size.
    """
    planes = list(zip(brightfield.planes(), fluorescence.planes(), strict=False))
    if brightfield.plane_shape != fluorescence.plane_shape or len(brightfield.planes()) != len(fluorescence.planes()):
        raise ImageError(
            f"Expected pairs of one size, got {sides(brightfield.shape)} for the brightfield and "
            f"{sides(fluorescence.shape)} for the fluorescence of {name}; crop them to the same field."
        )
    intensities = IntensityRange.fit(_sample(fluorescence))
    letters = [axis for axis in brightfield.axes if axis not in "YX"]
    pairs = []
    for index, partner in planes:
        place = _place(name) | {axis: position for axis, position in zip(letters, index, strict=True) if axis in "TZ"}
        pairs.append(
            Pair(
                name=name if len(planes) == 1 else f"{name} {index}",
                acquisition=acquisition,
                source=PlaneSource(brightfield, index, fluorescence, partner, intensities, scaling),
                shape=brightfield.plane_shape,
                time=place.get("T"),
                depth=place.get("Z"),
            )
        )
    return pairs


def _sample(stack: Stack) -> NDArray[Any]:
    """Read planes of a stack, spread over all of it."""
    indices = stack.planes()
    step = -(-len(indices) // _SAMPLED_PLANES)
    return np.stack([stack.read(index) for index in indices[::step]])


def _place(name: str) -> dict[str, int]:
    """Read time and depth from a file name."""
    found = _POSITION.search(_stem(name))
    groups = found.groupdict() if found else {}
    return {axis: int(groups[word]) for axis, word in (("T", "time"), ("Z", "depth")) if groups.get(word)}


def _stem(name: str) -> str:
    return Path(name).stem.removesuffix(".ome")


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise FileError(f"Expected a folder {folder}, got none; put the images of the pairs there.")
    return {path.name for path in list_images(folder)}
