"""What grows in a field: the body with what rests in it, and the organelles that a time-lapse moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.body import NUCLEUS_HALF_UM, NUCLEUS_MIDDLE_UM, Body, shape_body
from napari_mitostain.simulation.grid import Grid, Plane, Points, draw_places, noise_field
from napari_mitostain.simulation.mitochondria import grow_mitochondria
from napari_mitostain.simulation.organelles import EDGE_UM, Beads, voxels_of, wandering_path

SLICE_UM = 0.2
_HIGHEST_UM = 6.4

_ENVELOPE = 0.02
"""Width of the nuclear envelope in radii of the nucleus."""


@dataclass(frozen=True)
class Cell:
    """Cells of a field at one moment.

    Attributes
    ----------
    body : Body
    grid : Grid
        As many slices as the highest cell needs.
    resting : ndarray of float32
        Refractive index above that of the medium (slices, Y, X), of what does not move: cytoplasm, nuclei, fibres.
    mitochondria, vacuoles, vesicles, droplets, lumps : Beads
        What moves; lumps are of label.
    debris : Beads
        Beside and above the cells.
    lump_label : float
        Concentration of fluorophores in lumps.
    """

    body: Body
    grid: Grid
    resting: NDArray[np.float32]
    mitochondria: Beads
    vacuoles: Beads
    vesicles: Beads
    droplets: Beads
    debris: Beads
    lumps: Beads
    lump_label: float


def grow_cell(
    shape: tuple[int, int], pixel_size_um: float, settings: CellSettings, random: np.random.Generator
) -> Cell:
    """Grow cells that fill part of a field.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    pixel_size_um : float
    settings : CellSettings
    random : numpy.random.Generator
    """
    spacing = (SLICE_UM, pixel_size_um, pixel_size_um)
    body = shape_body(Grid((1, *shape), spacing), settings, random)
    highest = min(float(body.thickness.max()) + 0.4, _HIGHEST_UM)
    grid = Grid((math.ceil(highest / SLICE_UM), *shape), spacing)
    mitochondria = grow_mitochondria(body, grid, settings, random)
    resting = _grow_resting(body, grid, settings, random)
    reach, area = settings.gathering_um, body.area_um2(grid)

    def granules(number: float, size: float, spread: float, near: float) -> Beads:
        return _grow_granules(body, grid, random.poisson(number * area), size, spread, near, random)

    vacuoles = granules(settings.vacuoles, settings.vacuole_um, 0.35, reach)
    vesicles = granules(settings.vesicles, settings.vesicle_um, 0.3, reach / 2)
    droplets = granules(settings.lipid, settings.lipid_um, 0.35, reach / 2)
    debris = _scatter_debris(grid, settings, random)
    lumps = granules(settings.aggregates, 0.3, 0.4, reach)
    label = random.lognormal(0, 0.5)
    return Cell(body, grid, resting, mitochondria, vacuoles, vesicles, droplets, debris, lumps, label)


def cytosol_at(body: Body, height: float) -> Plane:
    """Return the part of each voxel (Y, X) of a slice that is cytosol."""
    inside = (0.5 + (body.thickness - np.float32(height)) / SLICE_UM).clip(0, 1)
    part: Plane = inside * (1 - _covered(body.nuclear, np.float32(height)))
    return part


def _grow_resting(body: Body, grid: Grid, settings: CellSettings, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the excess index of cytoplasm and nucleus, with nucleoli and fibres."""
    n = settings.indices
    excess = np.empty(grid.shape, np.float32)
    step = np.float32(0.5)  # how much of a slice's texture is new
    grain = settings.texture_um, settings.texture_slope
    texture = noise_field(grid, *grain, random)
    for number, height in enumerate(grid.axis(0)):
        texture = np.sqrt(1 - step**2) * texture + step * noise_field(grid, *grain, random)
        inside = (0.5 + (body.thickness - height) / SLICE_UM).clip(0, 1)
        nuclear = _covered(body.nuclear, height)
        envelope = _covered(body.nuclear - _ENVELOPE, height) - nuclear
        index = n.cytoplasm - n.medium + (n.nucleoplasm - n.cytoplasm) * nuclear
        index += (n.envelope - n.cytoplasm) * envelope + settings.texture * texture
        excess[number] = inside * index
    voxels_of(_grow_nucleoli(body, grid, random), grid).fill(excess, n.nucleolus - n.medium, EDGE_UM)
    voxels_of(_grow_fibres(body, grid, settings, random), grid).fill(excess, n.fibre - n.medium, EDGE_UM)
    return excess


def _covered(nuclear: Plane, height: np.float32) -> Plane:
    """Return the part of a slice's thickness that lies within the nucleus: smooth, so that its dome has no terraces."""
    half = NUCLEUS_HALF_UM * np.sqrt((1 - nuclear**4).clip(0))  # flat, with steep sides
    above, below = height - NUCLEUS_MIDDLE_UM + SLICE_UM / 2, height - NUCLEUS_MIDDLE_UM - SLICE_UM / 2
    part: Plane = (above.clip(-half, half) - below.clip(-half, half)) / np.float32(SLICE_UM)
    return part


def _grow_granules(
    body: Body, grid: Grid, count: int, radius_um: float, spread: float, reach_um: float, random: np.random.Generator
) -> Beads:
    """Scatter balls in the cytoplasm; their radii vary log-normally around a median."""
    centres = body.within(draw_places(body.density(reach_um, 0.03) * body.patches, grid, count, random), grid, random)
    return Beads([centres], [radius_um * random.lognormal(0, spread, len(centres)).clip(0.4, 2.5)])


def _grow_nucleoli(body: Body, grid: Grid, random: np.random.Generator) -> Beads:
    """Make a few lumps of balls in each nucleus."""
    beads = Beads()
    nuclear_um2 = float((body.nuclear < 0.7).sum()) * grid.spacing_um[1] * grid.spacing_um[2]
    for centre in draw_places(body.nuclear < 0.7, grid, random.poisson(nuclear_um2 / 40), random):
        lump = np.repeat(centre[None] + [NUCLEUS_MIDDLE_UM, 0, 0], 5, axis=0) + random.normal(
            0, [0.2, 0.6, 0.6], (5, 3)
        )
        beads.add(lump, random.uniform(0.45, 0.85))
    return beads


def _grow_fibres(body: Body, grid: Grid, settings: CellSettings, random: np.random.Generator) -> Beads:
    """Stretch bundles of actin near the coverslip, straight and along the cell."""
    beads = Beads()
    count = random.poisson(settings.fibres * body.area_um2(grid))
    for place in draw_places(body.thickness > 0.7, grid, count, random):
        heading = float(body.heading[grid.columns_at(place[None])][0]) + random.normal(0, 0.12)
        start = place + np.array([random.uniform(0.15, 0.5), 0, 0])
        path = wandering_path(start, heading, random.uniform(5, 25), random, bend=0.02)
        inside = body.thickness[grid.columns_at(path)] > 0.5
        beads.add(path[inside], random.uniform(0.06, 0.16))
    return beads


def _scatter_debris(grid: Grid, settings: CellSettings, random: np.random.Generator) -> Beads:
    """Let particles lie on the coverslip and float in the medium."""
    depth, length, width = grid.extent_um
    count = random.poisson(settings.debris * length * width)
    centres: Points = random.uniform(0, 1, (count, 3)) ** [2, 1, 1] * [depth, length, width]
    return Beads([centres], [0.2 * random.lognormal(0, 0.4, count).clip(0.5, 3)])
