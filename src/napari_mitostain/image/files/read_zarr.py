"""Read OME-Zarr 0.4 and 0.5, and plain zarr arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from zarr import AsyncArray, AsyncGroup
from zarr.api import asynchronous

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.axes import known_axes
from napari_mitostain.image.files.failures import reading
from napari_mitostain.image.files.formats import ZARR_MARKERS, is_zarr
from napari_mitostain.image.files.lazy import FileArray
from napari_mitostain.image.files.units import physical_scale
from napari_mitostain.image.files.zarr_here import ArrayHere, here
from napari_mitostain.image.plane import AXES, UNITS, Stack, guess_axes

_LETTER_OF = {"time": "T", "channel": "C"}
"""Axes by their type, and by names that are no letters."""


def read_zarr(path: Path) -> Stack:
    """Open an OME-Zarr image at full resolution, or a zarr array.

    A scale without a unit counts as micrometres and seconds, which nearly all microscopy files mean, unless it is
    exactly 1, which says nothing. A chunk that is absent reads as the fill value, as zarr defines.

    Raises
    ------
    FileError
        If the folder is no zarr, or is damaged.
    ImageError
        If it is no stack of grayscale planes.
    """
    with reading(path):
        if not is_zarr(path):
            raise FileError(f"Expected a zarr folder with {' or '.join(ZARR_MARKERS)}, got {path}; copy it again.")
        return here(_read(path))


async def _read(path: Path) -> Stack:
    version: Literal[2, 3] = 3 if (path / ZARR_MARKERS[0]).is_file() else 2
    node = await asynchronous.open(store=path, mode="r", zarr_format=version)
    return _read_array(path, node) if isinstance(node, AsyncArray) else await _read_image(path, node)


def _read_array(path: Path, array: AsyncArray[Any]) -> Stack:
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    letters = _letters([{"name": name or ""} for name in names]) if isinstance(names, Sequence) else ""
    named = len(set(letters)) == array.ndim and set(letters) <= set(AXES)
    return Stack(
        FileArray(path, ArrayHere(array)), letters if named else guess_axes(array.shape, path.name), name=path.name
    )


async def _read_image(path: Path, group: AsyncGroup) -> Stack:
    group, attributes, others = await _first_image(path, group)
    multiscale = attributes["multiscales"][0]
    level = multiscale["datasets"][0]
    array = await group.getitem(level["path"])
    if not isinstance(array, AsyncArray):
        raise FileError(f"Expected an array {level['path']!r} in {path}, got a group; check the file or copy it again.")
    named = [{"name": axis} if isinstance(axis, str) else axis for axis in multiscale.get("axes", AXES.lower())]
    axes, dropped = known_axes(_letters(named), array.shape)
    steps = np.prod([_steps(holder, array.ndim) for holder in (level, multiscale)], axis=0)
    spacings = {
        letter: _spacing(letter, axis, step) for letter, axis, step in zip(_letters(named), named, steps, strict=True)
    }
    scale = {axis: value for axis, value in physical_scale(spacings).items() if axis in axes}
    return Stack(FileArray(path, ArrayHere(array), dropped), axes, scale, path.name, _channels(attributes), others)


async def _first_image(path: Path, group: AsyncGroup) -> tuple[AsyncGroup, Mapping[str, Any], int]:
    """Find the image in a group, or the first of the images that Bio-Formats numbers in it; and count the others."""
    for name in ("", "0"):
        inner = await group.get(name) if name else group
        if isinstance(inner, AsyncGroup):
            attributes: Any = inner.attrs.get("ome", inner.attrs)
            if "multiscales" in attributes:
                return inner, attributes, await _count_from(group, 1) if name else 0
    raise FileError(
        f"Expected an OME-Zarr image in {path}, got a group without one; choose an image or array inside it."
    )


async def _count_from(group: AsyncGroup, first: int) -> int:
    """Count the groups in a group that are numbered from here on."""
    found = 0
    while isinstance(await group.get(str(first + found)), AsyncGroup):
        found += 1
    return found


def _letters(axes: Sequence[Mapping[str, Any]]) -> str:
    """Name each axis by one letter, Q if its name is none of ours."""
    names = ((axis.get("type", ""), str(axis["name"])) for axis in axes)
    letters = (_LETTER_OF.get(kind) or _LETTER_OF.get(name.lower(), name.upper()) for kind, name in names)
    return "".join(letter if len(letter) == 1 and letter in AXES else "Q" for letter in letters)


def _steps(holder: Mapping[str, Any], ndim: int) -> list[float]:
    transformations = holder.get("coordinateTransformations") or []
    return next((each["scale"] for each in transformations if each.get("type") == "scale"), [1.0] * ndim)


def _spacing(letter: str, axis: Mapping[str, Any], step: float) -> tuple[float | None, str | None]:
    unit = axis.get("unit")
    return (step, unit) if unit else (None if step == 1 else step, UNITS.get(letter))


def _channels(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    labels = [channel.get("label") for channel in (attributes.get("omero") or {}).get("channels") or []]
    return tuple(labels) if all(labels) else ()
