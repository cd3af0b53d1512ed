"""Shapes within a cell: balls and wandering tubes, drawn into a grid by the distance to their surface."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.simulation.grid import Grid, Points

_GROUP = 2000
"""Balls that are drawn at once."""


@dataclass
class Beads:
    """Balls, by their centres (height, row, column) and radii in µm; a tube is a row of close ones."""

    centres: list[Points] = field(default_factory=list)
    radii: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, centres: Points, radius: float | NDArray[np.float64]) -> None:
        """Add balls of one radius, or of one radius each."""
        self.centres.append(centres)
        self.radii.append(np.broadcast_to(np.asarray(radius, np.float64), len(centres)))


def surface_distance(beads: Beads, grid: Grid, reach_um: float = 0.3) -> NDArray[np.float32]:
    """Return how far each voxel lies outside the nearest ball, negative inside.

    Parameters
    ----------
    beads : Beads
    grid : Grid
    reach_um : float
        Voxels further away than this from every ball keep this distance.

    Returns
    -------
    ndarray of float32
        Distance in µm, shaped like the grid.
    """
    distance = np.full(grid.shape, reach_um, np.float32)
    if not beads.centres:
        return distance
    centres, radii = np.concatenate(beads.centres), np.concatenate(beads.radii)
    by_size = np.argsort(radii, kind="stable")  # like radii share the size of the box they are drawn in
    for group in np.array_split(by_size, 1 + len(radii) // _GROUP):
        _draw(distance, centres[group], radii[group], grid, reach_um)
    return distance


def _draw(
    distance: NDArray[np.float32], centres: Points, radii: NDArray[np.float64], grid: Grid, reach_um: float
) -> None:
    """Lower the distance of the voxels around some balls."""
    spacing = np.array(grid.spacing_um)
    half = np.ceil((radii.max(initial=0) + reach_um) / spacing).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in half), indexing="ij"), -1).reshape(-1, 3)
    voxels = np.floor(centres / spacing).astype(int)[:, None] + box  # (balls, voxels of a box, 3)
    gap = np.linalg.norm((voxels + 0.5) * spacing - centres[:, None], axis=-1) - radii[:, None]
    near = (gap < reach_um) & ((voxels >= 0) & (voxels < grid.shape)).all(-1)
    np.minimum.at(distance, tuple(voxels[near].T), gap[near].astype(np.float32))


def filled(distance: NDArray[np.float32], edge_um: float) -> NDArray[np.float32]:
    """Return the fraction of each voxel that is inside, with an edge about as wide as a voxel."""
    return (0.5 - distance / edge_um).clip(0, 1)


def wandering_path(
    start: NDArray[np.float64],
    heading: float,
    length_um: float,
    random: np.random.Generator,
    bend: float = 0.55,
    step_um: float = 0.1,
) -> Points:
    """Walk with a heading that drifts, mostly in the plane.

    Parameters
    ----------
    start : ndarray
        Height, row and column in µm.
    heading : float
        Direction of the first step in the plane, radians from the column axis.
    length_um : float
    random : numpy.random.Generator
    bend : float
        Drift of the heading in radians per square root of a micrometre; 0 gives a straight line.
    step_um : float

    Returns
    -------
    ndarray of float64
        Points (steps, 3), the start first.
    """
    count = max(1, round(length_um / step_um))
    angle = heading + np.cumsum(random.normal(0, bend * np.sqrt(step_um), count))
    tilt = np.cumsum(random.normal(0, bend / 5 * np.sqrt(step_um), count))
    steps = step_um * np.stack([tilt, np.sin(angle), np.cos(angle)], axis=1)
    path: Points = start + np.cumsum(steps, axis=0) - steps[0]
    return path
