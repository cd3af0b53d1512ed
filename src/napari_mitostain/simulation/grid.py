"""The box of space that phantoms are drawn into, and random fields on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2

Points = NDArray[np.float64]
"""Rows of height, row and column in µm."""

FRAME_UM2 = 82.0**2
"""Area of a frame of 1024×1024 pixels, for which numbers of cells and of specks of dust are given."""

Plane = NDArray[np.float32]
"""A map (Y, X) seen from above."""


@dataclass(frozen=True)
class Grid:
    """A box of space, cut into voxels; its lowest slice lies on the coverslip.

    Attributes
    ----------
    shape : tuple of int
        Slices, rows, columns.
    spacing_um : tuple of float
        Distance of slices, rows and columns.
    """

    shape: tuple[int, int, int]
    spacing_um: tuple[float, float, float]

    @property
    def extent_um(self) -> tuple[float, float, float]:
        """Height, length and width."""
        depth, rows, columns = (n * step for n, step in zip(self.shape, self.spacing_um, strict=True))
        return depth, rows, columns

    def axis(self, which: int) -> NDArray[np.float32]:
        """Return the centres of the voxels along axis 0, 1 or 2 in µm."""
        return ((np.arange(self.shape[which]) + 0.5) * self.spacing_um[which]).astype(np.float32)

    def columns_at(self, points: Points) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return row and column of the voxels above or below points; those outside belong to the nearest one."""
        cells = np.floor(points[:, 1:] / self.spacing_um[1:]).astype(np.intp).clip(0, np.array(self.shape[1:]) - 1)
        return cells[:, 0], cells[:, 1]


def draw_places(density: NDArray[Any], grid: Grid, count: int, random: np.random.Generator) -> Points:
    """Draw places with a probability in proportion to a density map.

    Parameters
    ----------
    density : ndarray
        Seen from above (Y, X), not negative.
    grid : Grid
    count : int
    random : numpy.random.Generator

    Returns
    -------
    ndarray of float64
        Points (count, 3) of height 0; none if the density is zero everywhere.
    """
    total = np.cumsum(density, dtype=np.float64)
    if not total[-1] > 0:
        return np.zeros((0, 3))
    pixels = np.searchsorted(total, random.random(count) * total[-1], side="right")
    corners = np.stack([np.zeros(count), *np.unravel_index(pixels, density.shape)], axis=1)
    return (corners + [0, 1, 1] * random.random((count, 3))) * grid.spacing_um


def noise_field(grid: Grid, size_um: float, slope: float, random: np.random.Generator) -> Plane:
    """Return a smooth random map of mean 0 and standard deviation 1 that wraps around.

    Parameters
    ----------
    grid : Grid
    size_um : float
        Structures larger than this are equally frequent.
    slope : float
        Fall of the amplitude beyond: as the power -slope of the spatial frequency.
    random : numpy.random.Generator

    Notes
    -----
    Its spectrum is that of Whittle-Matérn fields, which describe tissue well: Rogers, Capoglu and Backman, Opt. Lett.
    34, 1891-1893 (2009).
    """
    shape = grid.shape[1:]
    rows, columns = np.fft.fftfreq(shape[0], grid.spacing_um[1]), np.fft.rfftfreq(shape[1], grid.spacing_um[2])
    squared = (rows[:, None] ** 2 + columns**2).astype(np.float32)
    amplitude = (1 + (2 * np.pi * size_um) ** 2 * squared) ** np.float32(-slope / 2)
    waves = random.standard_normal((2, *squared.shape), dtype=np.float32)
    spectrum = amplitude * (waves[0] + 1j * waves[1])
    spectrum[0, 0] = 0
    field: Plane = irfft2(spectrum, s=shape)
    return field / (field.std() or 1)
