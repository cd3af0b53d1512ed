from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.organelles import Beads, filled, surface_distance, wandering_path

GRID = Grid((20, 40, 30), (0.1, 0.08, 0.08))


def bead(centre: tuple[float, float, float], radius: float) -> Beads:
    beads = Beads()
    beads.add(np.array([centre]), radius)
    return beads


def test_distance_to_a_ball_is_exact():
    z, y, x = (GRID.axis(0)[:, None, None], GRID.axis(1)[:, None], GRID.axis(2))
    expected = np.sqrt((z - 1) ** 2 + (y - 1.5) ** 2 + (x - 1.1) ** 2) - 0.4
    np.testing.assert_allclose(surface_distance(bead((1, 1.5, 1.1), 0.4), GRID, 0.3), expected.clip(max=0.3), atol=1e-5)


def test_the_nearest_ball_counts():
    both, one = bead((1, 1.5, 1.1), 0.4), surface_distance(bead((1, 1.5, 1.1), 0.4), GRID)
    both.add(np.array([[0.5, 0.5, 0.5]]), 0.2)
    other = surface_distance(bead((0.5, 0.5, 0.5), 0.2), GRID)
    np.testing.assert_array_equal(surface_distance(both, GRID), np.minimum(one, other))


def test_no_balls_are_out_of_reach():
    assert (surface_distance(Beads(), GRID, 0.3) == np.float32(0.3)).all()


def test_a_ball_on_the_border_is_cut_off():
    assert (surface_distance(bead((0, 0, 0), 0.5), GRID) < 0).any()


def test_a_filled_ball_has_its_volume():
    inside = filled(surface_distance(bead((1, 1.5, 1.1), 0.4), GRID), 0.1)
    # an edge as wide as a voxel is right to second order in voxel / radius: (0.1 / 0.4)² / 4 is below 2 %
    assert inside.sum() * np.prod(GRID.spacing_um) == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.02)


def test_a_path_without_bend_is_straight():
    path = wandering_path(np.array([1.0, 2.0, 3.0]), np.pi / 2, 1.0, np.random.default_rng(0), bend=0)
    assert len(path) == 10
    np.testing.assert_allclose(path[0], [1, 2, 3])
    np.testing.assert_allclose(path[-1], [1, 2.9, 3], atol=1e-9)


def test_a_path_takes_even_steps_and_turns():
    path = wandering_path(np.zeros(3), 0.0, 5.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(np.diff(path, axis=0)[:, 1:], axis=1), 0.1)
    assert np.linalg.norm(path[-1] - path[0]) < 4.8
