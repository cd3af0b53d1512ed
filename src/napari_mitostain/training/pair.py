"""A pair: one plane of brightfield and the fluorescence of the same place, read when it is wanted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.weighting import Statistics

Box = tuple[slice, slice]
"""Rows and columns of a plane, both with whole-number ends."""

MEMORY_BYTES = 2**30
"""Frames that are kept at hand take no more memory than this, however large a movie they come from."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels of a pair.

    Attributes
    ----------
    brightfield : ndarray of float32
        Scaled plane (Y, X).
    target : ndarray of float32
        Fluorescence (Y, X) in [0, 1].
    threshold : float
        Mean + 1 standard deviation of the whole plane's target: what is at least as bright counts as mitochondria. For
        a constant target infinite: it shows none.
    is_finite : bool
        Whether all pixels of both images were finite; if not, the median of the others stands in.
    """

    brightfield: NDArray[np.float32]
    target: NDArray[np.float32]
    threshold: float
    is_finite: bool = True

    def cut(self, box: Box) -> Frame:
        """Return a part of the frame, without copying it."""
        return replace(self, brightfield=self.brightfield[box], target=self.target[box])


def frame_of(brightfield: NDArray[np.float32], target: NDArray[np.float32], is_finite: bool = True) -> Frame:
    """Make a frame of a whole plane (Y, X), scaled brightfield and target in [0, 1]."""
    threshold = float(target.mean() + target.std()) if target.min() < target.max() else np.inf
    return Frame(brightfield, target, threshold, is_finite)


class Source(Protocol):
    """Where a whole plane of both images comes from; told from others by identity, also by those it is kept for."""

    def planes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read brightfield and fluorescence (Y, X) as they were recorded."""

    def frame(self, brightfield: NDArray[Any], fluorescence: NDArray[Any]) -> Frame:
        """Scale what `planes` has read, and cut it to what both show."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame that is not read yet.

    Attributes
    ----------
    name : str
        Unique among the pairs of a run.
    acquisition : str
        Pairs of one acquisition (field of view, file) lie on one side of a split, or in blocks with a gap between.
    source : Source
        The whole plane. The same for pairs that are parts of one plane.
    shape : tuple of int
        Height and width.
    time, depth : int, optional
        Position within the acquisition, as far as it is known.
    box : tuple of slice, optional
        The part of the plane that this pair is; by default all of it.
    measured : Statistics, optional
        Of the target's plane or acquisition, where the weights are to take theirs from there.
    pixel_size : float, optional
        Side of a pixel in micrometres, as far as the file tells.
    """

    name: str
    acquisition: str
    source: Source
    shape: tuple[int, int]
    time: int | None = None
    depth: int | None = None
    box: Box | None = None
    measured: Statistics | None = None
    pixel_size: float | None = None

    def read(self) -> Frame:
        """Load and scale the pixels.

        Raises
        ------
        FileError
            If they cannot be read.
        """
        return self.of_plane(self.source.frame(*self.source.planes()))

    def of_plane(self, frame: Frame) -> Frame:
        """Return this pair's part of the whole plane's frame."""
        return frame if self.box is None else frame.cut(self.box)

    def part(self, box: Box) -> Pair:
        """Return a part of this whole plane as a pair of its own."""
        rows, columns = box
        name = f"{self.name} [{rows.start}:{rows.stop}, {columns.start}:{columns.stop}]"
        return replace(self, name=name, box=box, shape=(rows.stop - rows.start, columns.stop - columns.start))


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """A plane that is in memory: scaled brightfield and a target in [0, 1]."""

    brightfield: NDArray[np.float32]
    target: NDArray[np.float32]

    def planes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return both images."""
        return self.brightfield, self.target

    def frame(self, brightfield: NDArray[Any], fluorescence: NDArray[Any]) -> Frame:
        """Make a frame of them."""
        return frame_of(brightfield, fluorescence)


def pair_of_arrays(name: str, acquisition: str, brightfield: NDArray[np.float32], target: NDArray[np.float32]) -> Pair:
    """Make a pair of a scaled brightfield plane and a target in [0, 1], both (Y, X) float32."""
    height, width = target.shape
    return Pair(name, acquisition, ArraySource(brightfield, target), (height, width))


class Frames:
    """Reads pairs and keeps the planes used last, as far as memory allows.

    Parameters
    ----------
    memory : int
        Bytes of pixels that may be kept.
    """

    def __init__(self, memory: int = MEMORY_BYTES) -> None:
        self.memory, self._used = memory, 0
        self._kept: OrderedDict[Source, Frame] = OrderedDict()
        self._lock = threading.Lock()  # patches are cut in one thread while another scores

    def __getitem__(self, pair: Pair) -> Frame:
        """Return the pixels of a pair."""
        with self._lock:
            if pair.source in self._kept:
                self._kept.move_to_end(pair.source)
            else:
                self._keep(pair.source, pair.source.frame(*pair.source.planes()))
            return pair.of_plane(self._kept[pair.source])

    def put(self, pair: Pair, plane: Frame) -> None:
        """Keep the whole plane of a pair that was read elsewhere."""
        with self._lock:
            if pair.source not in self._kept:
                self._keep(pair.source, plane)

    def _keep(self, source: Source, plane: Frame) -> None:
        self._kept[source] = plane
        self._used += _bytes(plane)
        while self._used > self.memory and len(self._kept) > 1:
            self._used -= _bytes(self._kept.popitem(last=False)[1])


def bytes_of(pair: Pair) -> int:
    """Return the bytes that a pair's pixels take when they are read, float32 twice."""
    return 8 * pair.shape[0] * pair.shape[1]


def _bytes(frame: Frame) -> int:
    return frame.brightfield.nbytes + frame.target.nbytes
