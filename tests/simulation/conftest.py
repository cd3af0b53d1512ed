"""A small phantom cell that several tests look at."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.body import CellBody, shape_body
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.phantom import Phantom, grow_cell


@pytest.fixture(scope="session")
def grid() -> Grid:
    return Grid((26, 160, 144), (0.25, 0.08, 0.08))


@pytest.fixture(scope="session")
def body(grid: Grid) -> CellBody:
    return shape_body(grid, np.random.default_rng(5))


@pytest.fixture(scope="session")
def phantom(grid: Grid) -> Phantom:
    return grow_cell(grid, np.random.default_rng(5))
