"""A stack of planes: an array of any kind, its axes, and the size of its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import ImageError

AXES = "TCZYX"
"""Letters an axis may have: time, channel, depth, row, column; "Q" names an axis of unknown meaning."""

UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
"""What the scale of an axis counts in; a channel has no unit."""

_COLOURS = (3, 4)
"""Lengths of a last axis that holds colours rather than columns."""

PlaneIndex = tuple[int, ...]
"""Position of a plane along every axis but Y and X, in the order of the stack's axes."""

Box = tuple[slice, slice]
"""Rows and columns of a plane."""


@dataclass(frozen=True)
class Stack:
    """Planes of one acquisition, each read when it is asked for.

    Attributes
    ----------
    data : array
        NumPy, dask or zarr array, or what is indexed as one is, from several threads at a time; only the planes asked
        for are loaded.
    axes : str
        One letter for each dimension, such as "TZYX"; holds Y and X once each.
    scale : mapping of str to float
        Micrometres for Z, Y and X, seconds for T; an axis of unknown scale is absent.
    name : str
    channels : tuple of str
        Channel names, if known.
    others : int
        Images that its file holds beside it.
    files : tuple of Path
        All files of a stack that lies in several.
    """

    data: Any
    axes: str
    scale: Mapping[str, float] = field(default_factory=dict)
    name: str = "stack"
    channels: tuple[str, ...] = ()
    others: int = 0
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        _require_axes(self)
        _require_content(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.data.shape)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        return self.shape[self.axes.index("Y")], self.shape[self.axes.index("X")]

    @property
    def pixel_size(self) -> float | None:
        """Side of a pixel in micrometres, or None if it is unknown."""
        return self.scale.get("Y", self.scale.get("X"))

    @property
    def channel_count(self) -> int:
        """Length of axis C, 1 without one."""
        return self.shape[self.axes.index("C")] if "C" in self.axes else 1

    def planes(self, channel: int = 0) -> list[PlaneIndex]:
        """List the planes of a channel, the last axis fastest.

        Parameters
        ----------
        channel : int
            Position along axis C.

        Raises
        ------
        ImageError
            If there is no such channel.
        """
        if not 0 <= channel < self.channel_count:
            if self.channel_count == 1:
                raise ImageError(f"Expected channel 0 of {self.name}, which has one channel, got {channel}; choose it.")
            raise ImageError(
                f"Expected a channel from 0 to {self.channel_count - 1} in {self.name}, got {channel}; choose another."
            )
        lengths = [(axis, length) for axis, length in zip(self.axes, self.shape, strict=True) if axis not in "YX"]
        choices: list[Sequence[int]] = [[channel] if axis == "C" else range(length) for axis, length in lengths]
        return list(product(*choices))

    def read(self, index: PlaneIndex, box: Box = (slice(None), slice(None))) -> NDArray[Any]:
        """Load one plane, or rows and columns of it, as a NumPy array (Y, X)."""
        return self._turned(np.asarray(self.data[self.slices(index, box)]))

    def read_planes(self, channel: int = 0) -> NDArray[Any]:
        """Load all planes of a channel as one NumPy array (planes, Y, X)."""
        indices = self.planes(channel)
        planes = np.empty((len(indices), *self.plane_shape), self.data.dtype)
        for plane, index in zip(planes, indices, strict=True):
            plane[:] = self.read(index)
        return planes

    def slices(self, index: PlaneIndex, box: Box = (slice(None), slice(None))) -> tuple[int | slice, ...]:
        """Return what to index an array of this stack's axes with to reach a plane, or a box (rows, columns) of it."""
        position = iter(index)
        sides = {"Y": box[0], "X": box[1]}
        return tuple(sides[axis] if axis in sides else next(position) for axis in self.axes)

    def put(
        self,
        array: NDArray[Any],
        index: PlaneIndex,
        values: NDArray[Any],
        box: Box = (slice(None), slice(None)),
    ) -> None:
        """Write values (Y, X) into a plane, or a box of it, of an array that has this stack's axes."""
        array[self.slices(index, box)] = self._turned(values)

    def _turned(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Turn a plane from the order of this stack's axes to (Y, X), or back."""
        return plane if self.axes.index("Y") < self.axes.index("X") else plane.T

    def stained_shape(self) -> tuple[int, ...]:
        """Shape of this stack's stain: the same axes, with one channel."""
        return tuple(1 if axis == "C" else length for axis, length in zip(self.axes, self.shape, strict=True))

    def stained_index(self, index: PlaneIndex) -> PlaneIndex:
        """Where a plane of this stack lies in its stain: at channel 0."""
        letters = [axis for axis in self.axes if axis not in "YX"]
        return tuple(0 if axis == "C" else position for axis, position in zip(letters, index, strict=True))

    def zoom_to(self, pixel_size: float | None) -> float | None:
        """Return the zoom that brings this stack's pixels to a size in micrometres, None if either is unknown."""
        own = self.pixel_size
        if own is None or pixel_size is None:
            return None
        return 1.0 if isclose(own, pixel_size, rel_tol=1e-3) else own / pixel_size


def sides(shape: Sequence[int]) -> str:
    """Return a shape as people write it, such as "3×256×256"."""
    return "×".join(map(str, shape))


def guess_axes(shape: Sequence[int], name: str) -> str:
    """Name the axes of an array that came without names: Y and X last, Z, T and C before them.

    Raises
    ------
    ImageError
        If there are too few or too many, or the last one looks like colours.
    """
    ndim = len(shape)
    if ndim > 2 and shape[-1] in _COLOURS and min(shape[-3:-1]) > max(_COLOURS):
        raise ImageError(
            f"Expected a grayscale image in {name}, got an array of {sides(shape)}, which looks like "
            "colours (RGB); convert it to grayscale, or name its axes."
        )
    if not 2 <= ndim <= len(AXES):
        raise ImageError(f"Expected 2 to {len(AXES)} dimensions, got {ndim}; select the part to stain first.")
    return {2: "YX", 3: "ZYX", 4: "TZYX", 5: "TCZYX"}[ndim]


def load_array(array: Any, axes: str | None = None, name: str = "image") -> Stack:
    """Wrap an array of the caller's in a `Stack`.

    Parameters
    ----------
    array : array-like
        NumPy, dask or zarr array, or anything `numpy.asarray` takes.
    axes : str, optional
        One letter a dimension; guessed if absent.
    name : str

    Raises
    ------
    ImageError
        If the array is not a stack of grayscale planes.
    """
    name = Path(name).name
    data = array if isinstance(getattr(array, "dtype", None), np.dtype) else _as_array(array, name)
    return Stack(data, axes if axes is not None else guess_axes(data.shape, name), name=name)


def _as_array(array: Any, name: str) -> NDArray[Any]:
    """Turn numbers of any kind into an array; several of different shapes are the resolutions of one image."""
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ImageError(
            f"Expected one array for {name}, got several of different shapes; give one of them, such as the first."
        ) from error


def _require_axes(stack: Stack) -> None:
    axes, shape = stack.axes, stack.shape
    if "S" in axes:
        raise ImageError(
            f"Expected a grayscale image in {stack.name}, got colour samples (RGB); convert it to grayscale"
            f"{_if_planes(stack)}."
        )
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
        raise ImageError(
            f"Expected one axis letter per dimension with Y and X in {stack.name}, got axes {axes!r} for "
            f"shape {shape}; name the axes in the file."
        )
    if unknown := sorted(set(axes) - set(AXES)):
        raise ImageError(
            f"Expected axes among {', '.join(AXES)} in {stack.name}, got {''.join(unknown)} in {axes!r}; "
            "save the file with named axes."
        )


def _if_planes(stack: Stack) -> str:
    """Advise on samples that may be planes: tifffile takes 3 or 4 planes for colours unless it is told otherwise."""
    if stack.axes.endswith("S"):
        return ""
    count = stack.shape[stack.axes.index("S")]
    return f" or, if they are {count} planes, save them with named axes or photometric='minisblack'"


def _require_content(stack: Stack) -> None:
    dtype = np.dtype(stack.data.dtype)
    if dtype.kind not in "uif":
        raise ImageError(
            f"Expected integer or float intensities in {stack.name}, got {dtype}; convert the image first."
        )
    if 0 in stack.shape:
        raise ImageError(f"Expected at least one pixel in {stack.name}, got {sides(stack.shape)}; check the file.")
