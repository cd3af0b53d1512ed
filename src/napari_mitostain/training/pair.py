"""A pair: one plane of brightfield and the fluorescence of the same place, read when it is wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

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
        Mean + 1 standard deviation of the whole plane's target: what is at least as bright counts as mitochondria.
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
    return Frame(brightfield, target, float(target.mean() + target.std()), is_finite)


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame that is not read yet.

    Attributes
    ----------
    name : str
        Unique among the pairs of a run.
    acquisition : str
        Pairs of one acquisition (field of view, file) lie on one side of a split, or in blocks with a gap between.
    source : callable
        Reads and scales the whole plane. Equal for pairs that are parts of one plane.
    shape : tuple of int
        Height and width.
    time, depth : int, optional
        Position within the acquisition, as far as it is known.
    box : tuple of slice, optional
        The part of the plane that this pair is; by default all of it.
    measured : Statistics, optional
        Of the target's plane or acquisition, where the weights are to take theirs from there.
    """

    name: str
    acquisition: str
    source: Callable[[], Frame]
    shape: tuple[int, int]
    time: int | None = None
    depth: int | None = None
    box: Box | None = None
    measured: Statistics | None = None

    def read(self) -> Frame:
        """Load and scale the pixels.

        Raises
        ------
        FileError
            If they cannot be read.
        """
        frame = self.source()
        return frame if self.box is None else frame.cut(self.box)


def pair_of_arrays(name: str, acquisition: str, brightfield: NDArray[np.float32], target: NDArray[np.float32]) -> Pair:
    """Make a pair of a scaled brightfield plane and a target in [0, 1], both (Y, X) float32."""
    frame = frame_of(brightfield, target)
    height, width = target.shape
    return Pair(name, acquisition, lambda: frame, (height, width))


class Frames:
    """Reads pairs and keeps the frames used last, as far as memory allows.

    Parameters
    ----------
    memory : int
        Bytes of pixels that may be kept.
    """

    def __init__(self, memory: int = MEMORY_BYTES) -> None:
        self._memory, self._used = memory, 0
        self._kept: OrderedDict[str, Frame] = OrderedDict()

    def __getitem__(self, pair: Pair) -> Frame:
        """Return the pixels of a pair; the name tells pairs apart."""
        if pair.name in self._kept:
            self._kept.move_to_end(pair.name)
            return self._kept[pair.name]
        frame = pair.read()
        self._kept[pair.name] = frame
        self._used += _bytes(frame)
        while self._used > self._memory and len(self._kept) > 1:
            self._used -= _bytes(self._kept.popitem(last=False)[1])
        return frame


def _bytes(frame: Frame) -> int:
    return frame.brightfield.nbytes + frame.target.nbytes
