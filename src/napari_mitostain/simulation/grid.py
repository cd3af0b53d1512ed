"""A box of space that phantoms are drawn into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Points = NDArray[np.float64]
"""Rows of height, row and column in µm."""


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

    @property
    def heights(self) -> NDArray[np.float32]:
        """Heights of the slices in µm, to be broadcast: (slices, 1, 1)."""
        return self.axis(0)[:, None, None]

    def at(self, points: Points) -> tuple[NDArray[np.intp], ...]:
        """Return the voxels that hold points; points outside belong to the nearest voxel."""
        cells = np.floor(points / self.spacing_um).astype(np.intp).clip(0, np.array(self.shape) - 1)
        return tuple(cells.T)


def draw_points(density: NDArray[Any], grid: Grid, count: int, random: np.random.Generator) -> Points:
    """Draw points with a probability in proportion to a density.

    Parameters
    ----------
    density : ndarray
        Shaped like the grid, not negative.
    grid : Grid
    count : int
    random : numpy.random.Generator

    Returns
    -------
    ndarray of float64
        Points (count, 3); none if the density is zero everywhere.
    """
    total = np.cumsum(density, dtype=np.float64)
    if not total[-1] > 0:
        return np.zeros((0, 3))
    voxels = np.searchsorted(total, random.random(count) * total[-1], side="right")
    corners = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    return (corners + random.random((count, 3))) * grid.spacing_um


def unevenness(
    grid: Grid, size_um: float, strength: float, random: np.random.Generator, deep: bool = False
) -> NDArray[np.float32]:
    """Return smooth random factors around 1.

    Parameters
    ----------
    grid : Grid
    size_um : float
        Standard deviation of the Gaussian that smooths white noise.
    strength : float
        Standard deviation of the factors.
    random : numpy.random.Generator
    deep : bool
        One factor for each voxel (slices, Y, X); by default one for each column of voxels (Y, X).
    """
    first = 0 if deep else 1
    noise = random.standard_normal(grid.shape[first:], dtype=np.float32)
    sigmas = [size_um / step for step in grid.spacing_um][first:]
    smooth = gaussian_filter(noise, sigmas, mode="wrap", truncate=3)
    factors: NDArray[np.float32] = 1 + smooth * (strength / smooth.std())
    return factors
