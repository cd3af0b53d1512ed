"""Balls and tubes, drawn into a grid by the distance to their surface."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.simulation.grid import Grid, Points

_GROUP = 1000
"""Balls that are drawn at once."""

STEP_UM = 0.1
"""Distance of the balls along a tube."""

EDGE_UM = 0.1
"""Width of the edge of what is drawn: about a pixel."""


@dataclass
class Beads:
    """Balls, by their centres (height, row, column) and radii in µm; a tube is a row of close ones."""

    centres: list[Points] = field(default_factory=list)
    radii: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, centres: Points, radius: float | NDArray[np.float64]) -> None:
        """Add balls of one radius, or of one radius each."""
        self.centres.append(centres)
        self.radii.append(np.broadcast_to(np.asarray(radius, np.float64), len(centres)))


@dataclass(frozen=True)
class Voxels:
    """Voxels on and near the surface of balls, or inside them.

    Attributes
    ----------
    at : ndarray of int
        Positions in the flattened grid, each once (where two balls are equally near, twice with one distance).
    distance_um : ndarray of float32
        How far the voxel's centre lies outside the nearest ball, negative inside.
    """

    at: NDArray[np.intp]
    distance_um: NDArray[np.float32]

    def filled(self, edge_um: float) -> NDArray[np.float32]:
        """Return the fraction of each voxel that is inside, with an edge about as wide as a voxel."""
        return (0.5 - self.distance_um / edge_um).clip(0, 1)

    def fill(self, volume: NDArray[np.float32], value: float | NDArray[np.float32], edge_um: float) -> None:
        """Replace what is inside by a value."""
        flat = volume.reshape(-1)
        flat[self.at] += (np.float32(value) - flat[self.at]) * self.filled(edge_um)


def voxels_of(beads: Beads, grid: Grid, reach_um: float = 0.2) -> Voxels:
    """Find the voxels that balls fill or touch, and their distance to the nearest of them.

    Parameters
    ----------
    beads : Beads
    grid : Grid
    reach_um : float
        Voxels further away than this from every ball are left out.
    """
    if not sum(len(each) for each in beads.centres):
        return Voxels(np.zeros(0, np.intp), np.zeros(0, np.float32))
    centres, radii = np.concatenate(beads.centres), np.concatenate(beads.radii)
    by_size = np.argsort(radii, kind="stable")  # like radii share the size of the box they are drawn in
    groups = np.array_split(by_size, 1 + len(radii) // _GROUP)
    drawn = [_draw(centres[group], radii[group], grid, reach_um) for group in groups]
    at, gap = (np.concatenate(each) for each in zip(*drawn, strict=True))
    nearest = np.full(grid.shape, np.inf, np.float32).reshape(-1)
    np.minimum.at(nearest, at, gap)
    winners = gap == nearest[at]
    return Voxels(at[winners], gap[winners])


def _draw(
    centres: Points, radii: NDArray[np.float64], grid: Grid, reach_um: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the voxels near each ball and their distance from it."""
    at, squared = np.zeros((), np.intp), np.zeros((), np.float32)
    for axis, (size, step) in enumerate(zip(grid.shape, grid.spacing_um, strict=True)):
        half = int(np.ceil((radii.max() + reach_um) / step))
        voxel = np.floor(centres[:, axis] / step).astype(np.intp)[:, None] + np.arange(-half, half + 1)
        off = (((voxel + 0.5) * step - centres[:, axis, None]) ** 2).astype(np.float32)
        off[(voxel < 0) | (voxel >= size)] = np.inf
        at = at[..., None] * size + voxel.reshape(len(voxel), *(1,) * axis, -1)  # (balls, slices, rows, columns)
        squared = squared[..., None] + off.reshape(len(voxel), *(1,) * axis, -1)
    gap = np.sqrt(squared) - radii.astype(np.float32)[:, None, None, None]
    near = gap < reach_um
    return at[near], gap[near]


def wandering_path(
    start: NDArray[np.float64], heading: float, length_um: float, random: np.random.Generator, bend: float = 0.45
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

    Returns
    -------
    ndarray of float64
        Points (steps, 3), the start first.
    """
    count = max(1, round(length_um / STEP_UM))
    angle = heading + np.cumsum(random.normal(0, bend * np.sqrt(STEP_UM), count))
    tilt = np.cumsum(random.normal(0, bend / 5 * np.sqrt(STEP_UM), count))
    steps = STEP_UM * np.stack([tilt, np.sin(angle), np.cos(angle)], axis=1)
    path: Points = start + np.cumsum(steps, axis=0) - steps[0]
    return path


def relaxed(path: Points, stiffness: float) -> Points:
    """Straighten the kinks of a tube that was carried along, and give its balls their distance back.

    Parameters
    ----------
    path : ndarray of float64
        Points (steps, 3).
    stiffness : float
        Part of a kink that goes, at most 0.25, where it is a fold of one step.

    Returns
    -------
    ndarray of float64
        As long as `STEP_UM` times the steps, around the same middle.
    """
    if len(path) < 3:
        return path
    smooth = path.copy()
    smooth[1:-1] += stiffness * (path[2:] - 2 * path[1:-1] + path[:-2])
    steps = np.diff(smooth, axis=0)
    steps *= STEP_UM / np.linalg.norm(steps, axis=1, keepdims=True).clip(1e-6)
    straight = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    settled: Points = straight + (smooth.mean(axis=0) - straight.mean(axis=0))
    return settled
