"""Which planes of two stacks show the same place at the same time and depth."""

from __future__ import annotations

from collections.abc import Mapping

from napari_mitostain.errors import ImageError
from napari_mitostain.image.plane import PlaneIndex, Stack, sides


def matched_planes(
    first: Stack,
    second: Stack,
    name: str,
    words: tuple[str, str],
    channels: tuple[int, int] = (0, 0),
) -> list[tuple[PlaneIndex, PlaneIndex]]:
    """Return the positions of the planes that belong together: of the same time and depth, in whatever order.

    Parameters
    ----------
    first, second : Stack
    name : str
        Of what both belong to, for errors.
    words : tuple of str
        What each of them is, for errors.
    channels : tuple of int

    Raises
    ------
    ImageError
        If the stacks differ in size or in axes, or there is no such channel.
    """
    lengths = [lengths_of(stack) for stack in (first, second)]
    own, others = first.planes(channels[0]), second.planes(channels[1])
    if first.plane_shape != second.plane_shape or len(own) != len(others):
        raise ImageError(
            f"Expected pairs of one size, got {sides(first.shape)} for the {words[0]} and {sides(second.shape)} for "
            f"the {words[1]} of {name}; crop them to the same field."
        )
    if lengths[0] == lengths[1]:
        at = {frozenset(place_in(second, index, lengths[1]).items()): index for index in others}
        return [(index, at[frozenset(place_in(first, index, lengths[0]).items())]) for index in own]
    if len(lengths[0]) == len(lengths[1]) == 1:  # the one calls time what the other calls depth
        return list(zip(own, others, strict=True))
    raise ImageError(
        f"Expected the same axes in both images of {name}, got {_named(lengths[0])} in the {words[0]} and "
        f"{_named(lengths[1])} in the {words[1]}; save them with the same axes."
    )


def lengths_of(stack: Stack) -> dict[str, int]:
    """Return how many times and depths there are, where there are several."""
    return {a: n for a, n in zip(stack.axes, stack.shape, strict=True) if a not in "CYX" and n > 1}


def place_in(stack: Stack, index: PlaneIndex, among: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return a plane's time "T" and depth "Z", of the axes that have several."""
    letters = [axis for axis in stack.axes if axis not in "YX"]
    wanted = lengths_of(stack) if among is None else among
    return {axis: position for axis, position in zip(letters, index, strict=True) if axis in wanted}


def _named(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{axis} {length}" for axis, length in lengths.items()) or "one plane"
