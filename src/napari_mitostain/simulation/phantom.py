"""Cells in three dimensions: where they slow light down, and where they are labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.body import NUCLEUS_HALF_UM, NUCLEUS_MIDDLE_UM, Body, shape_body
from napari_mitostain.simulation.grid import Grid, Plane, Points, draw_places, noise_field
from napari_mitostain.simulation.mitochondria import grow_mitochondria
from napari_mitostain.simulation.organelles import Beads, Voxels, voxels_of, wandering_path

_SLICE_UM = 0.2
_HIGHEST_UM = 6.4

_EDGE_UM = 0.1
"""Width of the edge of what is drawn: about a pixel."""

_MEMBRANE_UM = 0.06
"""Half width of the labelled outer membrane: thinner than light resolves, thick enough for the grid."""

_ENVELOPE = 0.02
"""Width of the nuclear envelope in radii of the nucleus."""


@dataclass(frozen=True)
class Phantom:
    """What there is to image, slice by slice from the coverslip up.

    Attributes
    ----------
    excess_index : ndarray of float32
        Refractive index above that of the medium (slices, Y, X).
    label : ndarray of float32
        Concentration of fluorophores (slices, Y, X), relative to that in the outer membrane of mitochondria.
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


def grow_phantom(
    shape: tuple[int, int], pixel_size_um: float, settings: CellSettings, random: np.random.Generator
) -> Phantom:
    """Grow cells that fill part of a field.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    pixel_size_um : float
    settings : CellSettings
    random : numpy.random.Generator

    Returns
    -------
    Phantom
        As many slices as the highest cell needs.
    """
    spacing = (_SLICE_UM, pixel_size_um, pixel_size_um)
    body = shape_body(Grid((1, *shape), spacing), settings, random)
    highest = min(float(body.thickness.max()) + 0.4, _HIGHEST_UM)
    grid = Grid((math.ceil(highest / _SLICE_UM), *shape), spacing)
    mitochondria = voxels_of(grow_mitochondria(body, grid, settings, random), grid)
    excess, cytosol = _fill_body(body, grid, settings, random)
    _draw_organelles(excess, body, mitochondria, grid, settings, random)
    label = _label(body, mitochondria, cytosol, grid, settings, random)
    return Phantom(excess, label, pixel_size_um, _SLICE_UM)


def _label(
    body: Body,
    mitochondria: Voxels,
    cytosol: NDArray[np.float32],
    grid: Grid,
    settings: CellSettings,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Label the outer membrane of mitochondria, as much as their cell makes; faintly the cytosol; and a few lumps."""
    label = np.float32(settings.label_cytosol) * cytosol * body.expression
    membrane = np.exp(-((mitochondria.distance_um / _MEMBRANE_UM) ** 2) / 2)
    made = body.expression.reshape(-1)[mitochondria.at % body.expression.size]
    label.reshape(-1)[mitochondria.at] += made * membrane
    count = random.poisson(settings.aggregates * body.area_um2(grid))
    lumps = voxels_of(_grow_granules(body, grid, count, 0.3, 0.4, settings.gathering_um, random), grid)
    label.reshape(-1)[lumps.at] += random.lognormal(0, 0.5) * lumps.filled(_EDGE_UM)
    return label


def _fill_body(
    body: Body, grid: Grid, settings: CellSettings, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the excess index of cytoplasm and nucleus, and the part of each voxel that is cytosol."""
    n = settings.indices
    excess, cytosol = np.empty((2, *grid.shape), np.float32)
    step = np.float32(0.5)  # how much of a slice's texture is new
    grain = settings.texture_um, settings.texture_slope
    texture = noise_field(grid, *grain, random)
    for number, height in enumerate(grid.axis(0)):
        texture = np.sqrt(1 - step**2) * texture + step * noise_field(grid, *grain, random)
        inside = (0.5 + (body.thickness - height) / _SLICE_UM).clip(0, 1)
        nuclear = _covered(body.nuclear, height)
        envelope = _covered(body.nuclear - _ENVELOPE, height) - nuclear
        index = n.cytoplasm - n.medium + (n.nucleoplasm - n.cytoplasm) * nuclear
        index += (n.envelope - n.cytoplasm) * envelope + settings.texture * texture
        excess[number] = inside * index
        cytosol[number] = inside * (1 - nuclear)
    return excess, cytosol


def _covered(nuclear: Plane, height: np.float32) -> Plane:
    """Return the part of a slice's thickness that lies within the nucleus: smooth, so that its dome has no terraces."""
    half = NUCLEUS_HALF_UM * np.sqrt((1 - nuclear**4).clip(0))  # flat, with steep sides
    above, below = height - NUCLEUS_MIDDLE_UM + _SLICE_UM / 2, height - NUCLEUS_MIDDLE_UM - _SLICE_UM / 2
    part: Plane = (above.clip(-half, half) - below.clip(-half, half)) / np.float32(_SLICE_UM)
    return part


def _draw_organelles(
    excess: NDArray[np.float32],
    body: Body,
    mitochondria: Voxels,
    grid: Grid,
    settings: CellSettings,
    random: np.random.Generator,
) -> None:
    """Draw all organelles into the excess index; the later drawn takes the place of the earlier."""
    n = settings.indices
    voxels_of(_grow_nucleoli(body, grid, random), grid).fill(excess, n.nucleolus - n.medium, _EDGE_UM)
    voxels_of(_grow_fibres(body, grid, settings, random), grid).fill(excess, n.fibre - n.medium, _EDGE_UM)
    reach, area = settings.gathering_um, body.area_um2(grid)
    for index, number, size, spread, near in (
        (n.vacuole, settings.vacuoles, settings.vacuole_um, 0.35, reach),
        (n.vesicle, settings.vesicles, settings.vesicle_um, 0.3, reach / 2),
    ):
        granules = _grow_granules(body, grid, random.poisson(number * area), size, spread, near, random)
        voxels_of(granules, grid).fill(excess, index - n.medium, _EDGE_UM)
    mitochondria.fill(excess, n.mitochondrion - n.medium, _EDGE_UM)
    droplets = _grow_granules(
        body, grid, random.poisson(settings.lipid * area), settings.lipid_um, 0.35, reach / 2, random
    )
    voxels_of(droplets, grid).fill(excess, n.lipid - n.medium, _EDGE_UM)
    debris = _scatter_debris(grid, settings, random)
    voxels_of(debris, grid).fill(excess, n.debris - n.medium, _EDGE_UM)


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
