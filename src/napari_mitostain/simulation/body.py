"""The outline of a spread cell, its thickness and its nucleus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.simulation.grid import Grid, unevenness

_WHOLE_CELL_UM = 50.0
"""A grid at least this wide has its middle in the nucleus; a smaller one looks beside it, where mitochondria are."""

_NUCLEUS_HEIGHT_UM, _NUCLEUS_HALF_UM = 2.3, 2.0


@dataclass(frozen=True)
class CellBody:
    """Outline, height and nucleus of a cell on a grid.

    Attributes
    ----------
    thickness : ndarray of float32
        Height of the cell (Y, X) in µm, 0 outside.
    nucleus : ndarray of float32
        How deep inside the nucleus each voxel is: 1 in the middle, 0 on its surface, negative outside.
    patches : ndarray of float32
        Relative density of organelles (Y, X), around 1.
    heading : float
        Direction of the cell's long axis, radians from the column axis.
    """

    thickness: NDArray[np.float32]
    nucleus: NDArray[np.float32]
    patches: NDArray[np.float32]
    heading: float

    def area_um2(self, pixel_um: float) -> float:
        """Return the area of the cell."""
        return float((self.thickness > 0.5).sum()) * pixel_um**2

    def density(self, grid: Grid, floor: float, reach: float) -> NDArray[np.float32]:
        """Return where organelles may be: inside the cell, outside its nucleus, most of them close to the nucleus.

        Parameters
        ----------
        grid : Grid
        floor : float
            Density far from the nucleus, where that beside it is 1 more.
        reach : float
            How far from the nucleus they gather, in radii of the nucleus.
        """
        room = (grid.heights > 0.35) & (grid.heights < self.thickness - 0.35) & (self.nucleus < -0.04)
        near = np.exp(self.nucleus.clip(None, 0) / reach)
        places: NDArray[np.float32] = room * (floor + near) * self.patches.clip(0)
        return places


def shape_body(grid: Grid, random: np.random.Generator) -> CellBody:
    """Choose the outline, thickness and nucleus of a cell: thin at its edge and highest at the nucleus."""
    heading = random.uniform(0, np.pi)
    along, across = _coordinates(grid, heading, random)
    angle = np.arctan2(across, along)
    wave = np.zeros_like(angle)
    for lobes in range(2, 6):
        wave += random.normal(0, 0.16 / lobes) * np.cos(lobes * angle + random.uniform(0, 2 * np.pi))
    radius = np.hypot(along / random.uniform(26, 34), across / random.uniform(15, 20)) / (1 + wave.clip(-0.5))
    nuclear = np.hypot(along / random.uniform(7.5, 9), across / random.uniform(5.2, 6.5)) * (1 + wave / 4)
    height = 0.6 * (1 - radius**6).clip(0) ** 0.5 + 2.2 * (1 - radius**2).clip(0) + 1.8 * np.exp(-(nuclear**2) * 0.7)
    ruffled = np.where(radius < 1, height * unevenness(grid, 0.5, 0.07, random), 0)
    thickness = gaussian_filter(ruffled, 0.16 / grid.spacing_um[1])
    upward = (grid.heights - _NUCLEUS_HEIGHT_UM) / _NUCLEUS_HALF_UM
    nucleus = 1 - np.hypot(nuclear.astype(np.float32), upward)
    return CellBody(thickness.astype(np.float32), nucleus, unevenness(grid, 2.0, 0.35, random), heading)


def _coordinates(
    grid: Grid, heading: float, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the position of each column of voxels along and across the cell in µm, from its middle."""
    _, length, width = grid.extent_um
    aside = max(0.0, _WHOLE_CELL_UM - min(length, width)) / 3
    row, column = random.uniform(-0.12, 0.12, 2) * min(length, width, _WHOLE_CELL_UM)
    y = grid.axis(1)[:, None] - length / 2 - row - aside * np.sin(heading)
    x = grid.axis(2)[None, :] - width / 2 - column - aside * np.cos(heading)
    return x * np.cos(heading) + y * np.sin(heading), y * np.cos(heading) - x * np.sin(heading)
