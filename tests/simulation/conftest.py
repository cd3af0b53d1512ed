"""A small phantom that several tests look at."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.body import Body, shape_body
from napari_mitostain.simulation.cell import Cell, grow_cell
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.phantom import Phantom, draw_phantom


@pytest.fixture(scope="session")
def grid() -> Grid:
    return Grid((30, 180, 160), (0.2, 0.08, 0.08))


@pytest.fixture(scope="session")
def body(grid: Grid) -> Body:
    """The body of `phantom`: shaped first, from the same seed."""
    return shape_body(grid, CellSettings(), np.random.default_rng(5))


@pytest.fixture(scope="session")
def cell() -> Cell:
    return grow_cell((180, 160), 0.08, CellSettings(), np.random.default_rng(5))


@pytest.fixture(scope="session")
def phantom(cell: Cell) -> Phantom:
    return draw_phantom(cell, CellSettings())
