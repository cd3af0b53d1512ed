"""A cell in three dimensions: where it slows light down, and where it is labelled.

Refractive indices: medium 1.337, cytoplasm 1.36 to 1.39, mitochondria 1.40 to 1.42 and nucleoli 1.375 to 1.385 are
from the review of Liu et al., Lab Chip 16, 634-644 (2016); nucleoplasm below cytoplasm follows Schürmann et al.,
J. Biophotonics 9, 1068-1076 (2016); lipid droplets have about that of triglycerides, 1.46. Vesicles stand for lysosomes
and other dense granules, vacuoles for watery ones. Sizes, numbers and places are set by eye on real H9c2 cells:
mitochondria are 0.35 to 0.65 µm wide, and their outer membrane carries the label (OMP25).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.simulation.body import CellBody, shape_body
from napari_mitostain.simulation.grid import Grid, Points, draw_points, unevenness
from napari_mitostain.simulation.organelles import Beads, filled, surface_distance, wandering_path

MEDIUM = 1.337
"""Refractive index of what surrounds the cell; phantoms hold the excess over it."""

CYTOPLASM, NUCLEOPLASM, NUCLEOLUS = 1.364, 1.358, 1.378
MITOCHONDRION, LIPID, VESICLE, VACUOLE = 1.41, 1.46, 1.40, 1.345

_MITOCHONDRIA_PER_UM2 = 0.24

_GRANULES = ((VESICLE, 0.4, (0.2, 0.55), 0.15), (VACUOLE, 0.04, (0.3, 0.7), 0.3), (LIPID, 0.12, (0.2, 0.45), 0.03))
"""Refractive index, number in a square micrometre, radii in µm, and density far from the nucleus."""

_MEMBRANE_UM = 0.06
"""Half width of the labelled membrane: thinner than light resolves, thick enough for the grid."""

_CYTOSOLIC_LABEL = 0.025
"""Label that has not reached a mitochondrion, relative to that in the membrane."""


@dataclass(frozen=True)
class Phantom:
    """What there is to image, slice by slice from the coverslip up.

    Attributes
    ----------
    excess_index : ndarray of float32
        Refractive index above that of the medium (slices, Y, X).
    label : ndarray of float32
        Concentration of fluorophores (slices, Y, X), relative to that in the membrane of mitochondria.
    pixel_size_um, slice_um : float
        Distance of pixels and of slices.
    """

    excess_index: NDArray[np.float32]
    label: NDArray[np.float32]
    pixel_size_um: float
    slice_um: float

    @property
    def heights_um(self) -> list[float]:
        """Height of the middle of each slice above the coverslip."""
        return [(number + 0.5) * self.slice_um for number in range(len(self.label))]


def grow_cell(grid: Grid, random: np.random.Generator) -> Phantom:
    """Grow one cell that fills part of a grid.

    Parameters
    ----------
    grid : Grid
    random : numpy.random.Generator

    Returns
    -------
    Phantom
        The more refractive of two organelles that meet wins; only mitochondria and, faintly, cytosol are labelled.
    """
    body = shape_body(grid, random)
    edge = grid.spacing_um[0]
    excess = _fill_body(body, grid, random)
    mitochondria = surface_distance(grow_mitochondria(body, grid, random), grid)
    excess += (MITOCHONDRION - MEDIUM - excess) * filled(mitochondria, edge)
    for index, number, radii, floor in _GRANULES:
        count = random.poisson(number * body.area_um2(grid.spacing_um[1]))
        centres = draw_points(body.density(grid, floor, 0.6), grid, count, random)
        granules = Beads([centres], [random.uniform(*radii, len(centres))])
        excess += (index - MEDIUM - excess) * filled(surface_distance(granules, grid), edge)
    cytosol = (grid.heights < body.thickness) & (body.nucleus < 0)
    label = np.exp(-((mitochondria / _MEMBRANE_UM) ** 2) / 2) * unevenness(grid, 1.5, 0.25, random).clip(0)
    return Phantom(excess, (label + _CYTOSOLIC_LABEL * cytosol).astype(np.float32), grid.spacing_um[1], edge)


def grow_mitochondria(body: CellBody, grid: Grid, random: np.random.Generator) -> Beads:
    """Grow curved tubes, some branched, and fragments: densest around the nucleus, along the cell.

    Parameters
    ----------
    body : CellBody
    grid : Grid
    random : numpy.random.Generator
    """
    beads = Beads()
    fragmented = random.uniform(0.25, 0.6)
    count = round(_MITOCHONDRIA_PER_UM2 * body.area_um2(grid.spacing_um[1]))
    for start in draw_points(body.density(grid, 0.35, 0.9), grid, count, random):
        if random.random() < fragmented:
            length, radius = random.uniform(0.1, 0.9), random.uniform(0.22, 0.32)
        else:
            length, radius = min(random.lognormal(0.9, 0.55), 9), random.uniform(0.18, 0.28)
        path = wandering_path(start, body.heading + random.normal(0, 0.6), length, random)
        beads.add(_kept_inside(path, body, grid), radius)
        if length > 3 and random.random() < 0.4:
            fork = path[random.integers(len(path) // 3, len(path))]
            branch = wandering_path(fork, random.uniform(0, 2 * np.pi), length / 3, random)
            beads.add(_kept_inside(branch, body, grid), radius)
    return beads


def _fill_body(body: CellBody, grid: Grid, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the excess index of cytoplasm, nucleus and nucleoli, each with its texture."""
    edge = grid.spacing_um[0]
    inside = filled(grid.heights - body.thickness, edge)
    nuclear = (body.nucleus / 0.06 + 0.5).clip(0, 1)
    fine = unevenness(grid, 0.16, 0.12, random, deep=True)
    coarse = unevenness(grid, 0.4, 0.15, random, deep=True)
    excess = inside * (CYTOPLASM - MEDIUM + (NUCLEOPLASM - CYTOPLASM) * nuclear) * fine * coarse
    nucleoli = Beads()
    for centre in draw_points(body.nucleus > 0.45, grid, int(random.integers(2, 5)), random):
        nucleoli.add(centre + random.normal(0, 0.35, (4, 3)), random.uniform(0.5, 0.9))
    excess += (NUCLEOLUS - MEDIUM - excess) * filled(surface_distance(nucleoli, grid), edge)
    return excess.astype(np.float32)


def _kept_inside(path: Points, body: CellBody, grid: Grid) -> Points:
    """Cut a path off where it would leave the cell or enter the nucleus."""
    slices, rows, columns = grid.at(path)
    outside = (path[:, 0] < 0.25) | (path[:, 0] > body.thickness[rows, columns] - 0.2)
    outside |= body.nucleus[slices, rows, columns] > -0.03
    return path[: np.argmax(outside)] if outside.any() else path
