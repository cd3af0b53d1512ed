from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.grid import Grid, draw_points, unevenness

GRID = Grid((4, 40, 50), (0.5, 0.1, 0.2))


def test_extent_and_centres_are_in_micrometres():
    assert GRID.extent_um == pytest.approx((2, 4, 10))
    np.testing.assert_allclose(GRID.axis(0), [0.25, 0.75, 1.25, 1.75])


def test_points_beyond_the_grid_belong_to_the_nearest_voxel():
    slices, rows, columns = GRID.at(np.array([[-1.0, 0.05, 0.3], [9.0, 9.0, 99.0]]))
    assert (slices.tolist(), rows.tolist(), columns.tolist()) == ([0, 3], [0, 39], [1, 49])


def test_points_are_drawn_only_where_there_is_density(rng):
    density = np.zeros(GRID.shape)
    density[2, 10:12, 20] = 1
    points = draw_points(density, GRID, 50, rng)
    assert points.shape == (50, 3)
    assert density[GRID.at(points)].all()


def test_no_density_no_points(rng):
    assert draw_points(np.zeros(GRID.shape), GRID, 5, rng).shape == (0, 3)


@pytest.mark.parametrize(("deep", "shape"), [(False, (40, 50)), (True, (4, 40, 50))])
def test_unevenness_has_the_strength_asked_for(deep, shape, rng):
    factors = unevenness(GRID, 0.2, 0.3, rng, deep=deep)
    assert factors.shape == shape
    assert factors.dtype == np.float32
    assert factors.std() == pytest.approx(0.3, rel=1e-3)


@pytest.fixture
def rng():
    return np.random.default_rng(1)
