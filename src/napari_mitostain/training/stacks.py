"""Two stacks of the same place, paired plane by plane; their planes are read when a pair is."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.image import (
    IntensityRange,
    PlaneIndex,
    Stack,
    fill_non_finite,
    matched_planes,
    place_in,
    scale_brightfield,
)
from napari_mitostain.training.naming import place_of
from napari_mitostain.training.pair import Box, Frame, Pair, frame_of

_SAMPLED_PLANES = 32
"""Planes that tell the range of a stack's fluorescence."""

_SAMPLED_PIXELS = 2**24
"""Pixels of all those planes together, at most."""


class StackRange:
    """The intensities that stand for 0 and 1 in all planes of a stack, found when they are first wanted."""

    def __init__(self, stack: Stack, channel: int) -> None:
        self._stack, self._channel = stack, channel
        self._range: IntensityRange | None = None
        self._lock = threading.Lock()

    def of(self, plane: NDArray[Any]) -> IntensityRange:
        """Return the range; `plane` is one of the stack's, which tells all if it is the only one."""
        with self._lock:
            if self._range is None:
                alone = plane.dtype == np.uint8 or len(self._stack.planes(self._channel)) == 1
                self._range = IntensityRange.fit(plane if alone else self._sample())
            return self._range

    def _sample(self) -> NDArray[Any]:
        """Read planes of the stack, spread over all of it, and of large ones only some rows and columns."""
        indices = self._stack.planes(self._channel)
        chosen = indices[:: -(-len(indices) // _SAMPLED_PLANES)]
        height, width = self._stack.plane_shape
        step = max(1, int((len(chosen) * height * width / _SAMPLED_PIXELS) ** 0.5))
        return np.stack([self._stack.read(index)[::step, ::step].copy() for index in chosen])


@dataclass(frozen=True, slots=True, eq=False)
class PlaneSource:
    """One plane of two stacks.

    Attributes
    ----------
    brightfield, fluorescence : Stack
    indices : tuple of tuple of int
        Position of the plane in the one and in the other.
    range : StackRange
    scaling : ScalingSettings
    shift : tuple of int
        Rows and columns that the fluorescence is moved by.
    """

    brightfield: Stack
    fluorescence: Stack
    indices: tuple[PlaneIndex, PlaneIndex]
    range: StackRange
    scaling: ScalingSettings
    shift: tuple[int, int] = (0, 0)

    def planes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read both planes, whole."""
        return self.brightfield.read(self.indices[0]), self.fluorescence.read(self.indices[1])

    def frame(self, brightfield: NDArray[Any], fluorescence: NDArray[Any]) -> Frame:
        """Scale both planes, each as a whole, then cut them to what both show."""
        fixed, moved = shared_boxes(brightfield.shape, self.shift)
        target = self.range.of(fluorescence).apply(fill_non_finite(fluorescence))
        is_finite = bool(np.isfinite(brightfield).all() and np.isfinite(fluorescence).all())
        return frame_of(scale_brightfield(brightfield, self.scaling)[fixed], target[moved], is_finite)


def shared_boxes(shape: tuple[int, ...], shift: tuple[int, int]) -> tuple[Box, Box]:
    """Return what remains of the brightfield, and of the fluorescence, once that is moved by a shift."""
    (top, bottom, upper, lower), (left, right, first, last) = (
        (max(0, by), length + min(0, by), max(0, -by), length - max(0, by))
        for by, length in zip(shift, shape, strict=True)
    )
    return (slice(top, bottom), slice(left, right)), (slice(upper, lower), slice(first, last))


def stack_pairs(
    brightfield: Stack,
    fluorescence: Stack,
    name: str,
    acquisition: str,
    scaling: ScalingSettings = ScalingSettings(),
    channels: tuple[int | None, int | None] = (None, None),
    shift: tuple[int, int] = (0, 0),
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
    channels : tuple of int, optional
        Of brightfield and fluorescence; by default the first.
    shift : tuple of int
        Rows and columns that the fluorescence is moved by.

    Returns
    -------
    list of Pair

    Raises
    ------
    ImageError
        If the stacks differ in size or in axes, there is no such channel, or the shift leaves nothing.
    """
    chosen = (channels[0] or 0, channels[1] or 0)
    height, width = (length - abs(by) for length, by in zip(brightfield.plane_shape, shift, strict=True))
    if min(height, width) < 1:
        raise ImageError(f"Expected a shift within {name}, got {shift}; correct or remove it.")
    matched = matched_planes(brightfield, fluorescence, name, ("brightfield", "fluorescence"), chosen)
    intensities = StackRange(fluorescence, chosen[1])
    pairs = []
    for indices in matched:
        place = place_in(brightfield, indices[0])
        known = place_of(name) | place
        pairs.append(
            Pair(
                name=name if len(matched) == 1 else " ".join([name, *(f"{a.lower()}{i}" for a, i in place.items())]),
                acquisition=acquisition,
                source=PlaneSource(brightfield, fluorescence, indices, intensities, scaling, shift),
                shape=(height, width),
                time=known.get("T"),
                depth=known.get("Z"),
                pixel_size=brightfield.pixel_size or fluorescence.pixel_size,
            )
        )
    return pairs
