"""What is said of images: stained, weighed, simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TileDone(Event):
    """A tile of the stain is ready.

    Attributes
    ----------
    plane : tuple of int
        Position of its plane in the stain, along every axis but Y and X.
    box : tuple of slice
        Rows and columns of the plane.
    values : ndarray of float32
        Relative intensity (Y, X) in [0, 1].
    fraction : float
        Part of the whole job that is done, in [0, 1].
    """

    plane: tuple[int, ...]
    box: tuple[slice, slice]
    values: NDArray[np.float32]
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneDone(Event):
    """A whole plane (Y, X) of the stain is ready; it holds for the plane's tiles, and replaces them."""

    plane: tuple[int, ...]
    values: NDArray[np.float32]
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneWeighed(PlaneDone):
    """The TN weights of a plane are ready.

    Attributes
    ----------
    minimum, mean, std, maximum : float
        What the bands were placed by: of the plane, or of the whole stack.
    thresholds : tuple of float
        M1 and M2.
    pixel_shares, weight_shares : tuple of float
        Parts of the plane's pixels, and of its weights, that lie in bands 1 to 3.
    """

    minimum: float
    mean: float
    std: float
    maximum: float
    thresholds: tuple[float, float]
    pixel_shares: tuple[float, float, float]
    weight_shares: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Event):
    """So many of several images were measured (statistics, scores), maybe part of another; a place to stop at."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDone(Event):
    """A stain is in its file.

    Attributes
    ----------
    source, output : str
    kept : bool
        Whether an earlier run has written it.
    """

    source: str
    output: str
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsKept(Event):
    """So many planes, or blocks of planes, of a stain were finished by an earlier run, and are as it left them."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDone(Event):
    """Another process has done a part of the job, or is still at it; a place to stop at.

    Attributes
    ----------
    fraction : float
        Part of the whole job that is done, in [0, 1].
    """

    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDone(Event):
    """A simulated pair is in its folder.

    Attributes
    ----------
    name : str
        Of both files.
    kept : bool
        Whether it was there before.
    done, total : int
    """

    name: str
    kept: bool
    done: int
    total: int
