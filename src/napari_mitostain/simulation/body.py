"""Where cells lie, how high they are, and where their nuclei are: maps seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.grid import FRAME_UM2, Grid, Plane, Points, draw_places, noise_field

_WHOLE_CELL_UM = 50.0
"""A field at least this wide has the first cell's nucleus in its middle; a smaller one looks beside it."""

_APART_UM = 34.0
"""Least distance of the middles of two cells."""

NUCLEUS_MIDDLE_UM, NUCLEUS_HALF_UM = 2.0, 1.35
"""Height of the middle of nuclei, and half their height."""


@dataclass(frozen=True)
class Body:
    """Cells seen from above, each map (Y, X).

    Attributes
    ----------
    thickness : ndarray of float32
        Height of the cell in µm, 0 outside.
    nuclear : ndarray of float32
        Distance from the middle of the nearest nucleus in its radii: 1 on its outline.
    beside_um : ndarray of float32
        Distance from the outline of the nearest nucleus, negative within it.
    heading : ndarray of float32
        Direction of the cell's long axis, radians from the column axis.
    expression : ndarray of float32
        How much label the cell makes, around 1.
    patches : ndarray of float32
        Relative density of organelles, around 1.
    """

    thickness: Plane
    nuclear: Plane
    beside_um: Plane
    heading: Plane
    expression: Plane
    patches: Plane

    def area_um2(self, grid: Grid) -> float:
        """Return the area of all cells."""
        return float((self.thickness > 0.5).sum()) * grid.spacing_um[1] * grid.spacing_um[2]

    def density(self, reach_um: float, floor: float) -> Plane:
        """Return where organelles may be: most of them close to the nucleus, few above and below it.

        Parameters
        ----------
        reach_um : float
            How far from the nucleus they gather.
        floor : float
            Density far from the nucleus, where that beside it is 1 more.
        """
        near = np.where(self.beside_um < 0.2, np.float32(0.6), np.exp(-self.beside_um.clip(0) / reach_um))
        room = self.thickness > 0.9
        return room * (floor * (self.beside_um > 0) + near) * self.patches

    def within(self, places: Points, grid: Grid, random: np.random.Generator) -> Points:
        """Give places a height between coverslip and upper membrane, and drop those that fall into a nucleus."""
        rows, columns = grid.columns_at(places)
        height = random.triangular(0.15, 0.4, 0.95, len(places)) * (self.thickness[rows, columns] - 0.35)
        lifted = np.column_stack([height, places[:, 1:]])
        return lifted[self.is_free(lifted, grid)]

    def is_free(self, points: Points, grid: Grid) -> NDArray[np.bool_]:
        """Tell which points lie within a cell and outside its nucleus, each with a little room."""
        rows, columns = grid.columns_at(points)
        height, top = points[:, 0], self.thickness[rows, columns]
        nuclear = np.hypot(self.nuclear[rows, columns] ** 2, (height - NUCLEUS_MIDDLE_UM) / NUCLEUS_HALF_UM)
        inside: NDArray[np.bool_] = (height > 0.25) & (height < top - 0.25) & (nuclear > 1.03)
        return inside


def shape_body(field: Grid, settings: CellSettings, random: np.random.Generator) -> Body:
    """Choose where cells lie and what outline, height and nucleus each has.

    Parameters
    ----------
    field : Grid
        Its rows and columns count, not its slices.
    settings : CellSettings
    random : numpy.random.Generator
    """
    shape = field.shape[1:]
    height, heading, expression = np.zeros((3, *shape), np.float32)
    nuclear, beside = np.full((2, *shape), np.float32(99))
    for middle in _middles(field, settings, random):
        angle, label = random.uniform(0, np.pi), random.lognormal(0, 0.25)
        one, own_nuclear, own_beside = _one_cell(field, middle, angle, random)
        own = one > height
        heading[own], expression[own] = angle, label
        height = np.maximum(height, one)
        nearer = own_nuclear < nuclear
        nuclear[nearer], beside[nearer] = own_nuclear[nearer], own_beside[nearer]
    ruffles = 0.05 * noise_field(field, 0.4, 3, random) + 0.08 * noise_field(field, 1.5, 4, random)
    ruffled = height * (1 + ruffles).clip(0.5)
    patches = np.exp(0.5 * noise_field(field, 3.0, 3, random) - 0.125)
    nuclear *= 1 + 0.02 * noise_field(field, 1.0, 3, random)
    sigma = 0.16 / field.spacing_um[1]
    return Body(gaussian_filter(ruffled, sigma), nuclear, beside, heading, expression, patches)


def _middles(field: Grid, settings: CellSettings, random: np.random.Generator) -> list[Points]:
    """Place the first cell in the middle or beside it, and others apart from it; or none."""
    if settings.empty and random.random() < settings.empty:
        return []
    _, length, width = field.extent_um
    aside = max(0.0, _WHOLE_CELL_UM - min(length, width)) * random.uniform(0.1, 0.9)
    direction = random.uniform(0, 2 * np.pi)
    scatter = random.uniform(-0.12, 0.12, 2) * min(length, width, _WHOLE_CELL_UM)
    away = aside * np.array([np.sin(direction), np.cos(direction)])
    row, column = scatter + away
    found = [np.array([0, length / 2 + row, width / 2 + column])]
    for place in draw_places(np.ones(field.shape[1:]), field, random.poisson(_others(field, settings)), random):
        if min(np.linalg.norm(place - other) for other in found) > _APART_UM:
            found.append(place)
    return found


def _others(field: Grid, settings: CellSettings) -> float:
    return settings.crowding * field.extent_um[1] * field.extent_um[2] / FRAME_UM2


def _one_cell(field: Grid, middle: Points, heading: float, random: np.random.Generator) -> tuple[Plane, Plane, Plane]:
    """Return height, and distance from the nucleus in its radii and in µm, of one cell: a spindle with lobes."""
    y, x = field.axis(1)[:, None] - np.float32(middle[1]), field.axis(2)[None, :] - np.float32(middle[2])
    along, across = x * np.cos(heading) + y * np.sin(heading), y * np.cos(heading) - x * np.sin(heading)
    angle = np.arctan2(across, along)
    wave = np.zeros_like(angle)
    for lobes in range(2, 7):
        wave += random.normal(0, 0.2 / lobes) * np.cos(lobes * angle + random.uniform(0, 2 * np.pi))
    length, width = random.uniform(32, 52), random.uniform(17, 27)
    taper = width * (1 - 0.45 * np.abs(along / length).clip(0, 1) ** 1.5)
    radius = np.hypot(along / length, across / taper) / (1 + wave.clip(-0.5))
    long, broad = random.uniform(8.3, 11.0), random.uniform(6.0, 7.8)
    nuclear = np.hypot(along / long, across / broad) * (1 + wave / 4)
    domed = 0.7 * (1 - radius**6).clip(0) ** 0.5 + 1.2 * (1 - radius**2).clip(0) + 2.0 * np.exp(-(nuclear**2) * 0.6)
    height = np.where(radius < 1, domed, 0)
    return height.astype(np.float32), nuclear, (nuclear - 1) * np.float32((long + broad) / 2)
