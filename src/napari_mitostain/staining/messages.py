"""What staining says about the planes of a stack."""

from __future__ import annotations

from collections.abc import Sequence

from napari_mitostain.errors import NoContrastError
from napari_mitostain.image import PlaneIndex, Stack

_PLANES_NAMED = 5
"""Planes that a notice names one by one; a long stack could have thousands."""


def plane_name(stack: Stack, index: PlaneIndex) -> str:
    """Name a plane for people: "plane t=0, z=3 of cells.tif"; a stack of one plane by its own name."""
    return f"Plane {_position(stack, index)} of {stack.name}" if index else stack.name


def _position(stack: Stack, index: PlaneIndex) -> str:
    letters = [axis.lower() for axis in stack.axes if axis not in "YX"]
    return ", ".join(f"{axis}={i}" for axis, i in zip(letters, index, strict=True))


def about_empty(stack: Stack, blank: list[PlaneIndex]) -> str:
    """Say which planes have no contrast, the first few by their names."""
    if len(blank) == 1:
        return f"{plane_name(stack, blank[0])} is constant, its stain is empty."
    some = "; ".join(_position(stack, index) for index in blank[:_PLANES_NAMED])
    more = "; …" if len(blank) > _PLANES_NAMED else ""
    return f"{len(blank)} planes of {stack.name} are constant, their stain is empty: {some}{more}."


def no_contrast(stack: Stack, blank: Sequence[PlaneIndex]) -> NoContrastError:
    """Return the error that says that no plane had any contrast, and what to choose."""
    one, planes = len(blank) == 1, len(stack.planes())
    got = f"{len(blank)} constant planes" if not one else "a constant plane" if planes > 1 else "a constant image"
    other = "channel" if stack.channel_count > 1 else "plane" if planes > len(blank) else "image"
    return NoContrastError(
        f"Expected brightfield with contrast in {stack.name}, got {got} (equal pixels); choose another {other}."
    )
