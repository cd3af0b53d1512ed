"""Cells in three dimensions: where they slow light down, and where they are labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.cell import Cell, cytosol_at
from napari_mitostain.simulation.organelles import EDGE_UM, Voxels, voxels_of

_MEMBRANE_UM = 0.06
"""Half width of the labelled outer membrane: thinner than light resolves, thick enough for the grid."""


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


def draw_phantom(cell: Cell, settings: CellSettings) -> Phantom:
    """Draw cells into a grid.

    Parameters
    ----------
    cell : Cell
    settings : CellSettings
        What the cell was grown with.
    """
    mitochondria = voxels_of(cell.mitochondria, cell.grid)
    excess = _excess_index(cell, mitochondria, settings)
    label = _label(cell, mitochondria, settings)
    return Phantom(excess, label, cell.grid.spacing_um[1], cell.grid.spacing_um[0])


def _excess_index(cell: Cell, mitochondria: Voxels, settings: CellSettings) -> NDArray[np.float32]:
    """Draw all organelles into what rests; the later drawn takes the place of the earlier."""
    n, grid, excess = settings.indices, cell.grid, cell.resting.copy()
    voxels_of(cell.vacuoles, grid).fill(excess, n.vacuole - n.medium, EDGE_UM)
    voxels_of(cell.vesicles, grid).fill(excess, n.vesicle - n.medium, EDGE_UM)
    mitochondria.fill(excess, n.mitochondrion - n.medium, EDGE_UM)
    voxels_of(cell.droplets, grid).fill(excess, n.lipid - n.medium, EDGE_UM)
    voxels_of(cell.debris, grid).fill(excess, n.debris - n.medium, EDGE_UM)
    return excess


def _label(cell: Cell, mitochondria: Voxels, settings: CellSettings) -> NDArray[np.float32]:
    """Label the outer membrane of mitochondria, as much as their cell makes; faintly the cytosol; and a few lumps."""
    body, label = cell.body, np.empty(cell.grid.shape, np.float32)
    for number, height in enumerate(cell.grid.axis(0)):
        label[number] = np.float32(settings.label_cytosol) * cytosol_at(body, height) * body.expression
    membrane = np.exp(-((mitochondria.distance_um / _MEMBRANE_UM) ** 2) / 2)
    made = body.expression.reshape(-1)[mitochondria.at % body.expression.size]
    label.reshape(-1)[mitochondria.at] += made * membrane
    lumps = voxels_of(cell.lumps, cell.grid)
    label.reshape(-1)[lumps.at] += cell.lump_label * lumps.filled(EDGE_UM)
    return label
