from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.organelles import Beads, voxels_of, wandering_path

GRID = Grid((20, 40, 30), (0.1, 0.08, 0.08))


def bead(centre: tuple[float, float, float], radius: float) -> Beads:
    beads = Beads()
    beads.add(np.array([centre]), radius)
    return beads


def distance(beads: Beads, reach: float = 0.3) -> np.ndarray:
    dense = np.full(GRID.shape, reach, np.float32)
    voxels = voxels_of(beads, GRID, reach)
    dense.reshape(-1)[voxels.at] = voxels.distance_um
    return dense


def test_distance_to_a_ball_is_exact():
    z, y, x = (GRID.axis(0)[:, None, None], GRID.axis(1)[:, None], GRID.axis(2))
    expected = np.sqrt((z - 1) ** 2 + (y - 1.5) ** 2 + (x - 1.1) ** 2) - 0.4
    np.testing.assert_allclose(distance(bead((1, 1.5, 1.1), 0.4)), expected.clip(max=0.3), atol=1e-5)


def test_the_nearest_ball_counts():
    both, one = bead((1, 1.5, 1.1), 0.4), distance(bead((1, 1.5, 1.1), 0.4))
    both.add(np.array([[0.5, 0.5, 0.5]]), 0.2)
    np.testing.assert_array_equal(distance(both), np.minimum(one, distance(bead((0.5, 0.5, 0.5), 0.2))))


def test_no_balls_touch_no_voxels():
    assert len(voxels_of(Beads(), GRID).at) == 0
    assert len(voxels_of(Beads([np.zeros((0, 3))], [np.zeros(0)]), GRID).at) == 0


def test_a_ball_on_the_border_is_cut_off():
    assert (distance(bead((0, 0, 0), 0.5)) < 0).any()


def test_a_filled_ball_has_its_volume():
    volume = np.zeros(GRID.shape, np.float32)
    voxels_of(bead((1, 1.5, 1.1), 0.4), GRID).fill(volume, 2.0, 0.1)
    # an edge as wide as a voxel is right to second order in voxel / radius: (0.1 / 0.4)² / 4 is below 2 %
    assert volume.sum() * np.prod(GRID.spacing_um) == pytest.approx(2 * 4 / 3 * np.pi * 0.4**3, rel=0.02)
    assert volume.max() == 2


def test_a_path_without_bend_is_straight():
    path = wandering_path(np.array([1.0, 2.0, 3.0]), np.pi / 2, 1.0, np.random.default_rng(0), bend=0)
    assert len(path) == 10
    np.testing.assert_allclose(path[0], [1, 2, 3])
    np.testing.assert_allclose(path[-1], [1, 2.9, 3], atol=1e-9)


def test_a_path_takes_even_steps_and_turns():
    path = wandering_path(np.zeros(3), 0.0, 5.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(np.diff(path, axis=0)[:, 1:], axis=1), 0.1)
    assert np.linalg.norm(path[-1] - path[0]) < 4.9
