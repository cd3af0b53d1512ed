from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.grid import Grid, draw_places, noise_field

GRID = Grid((4, 40, 50), (0.5, 0.1, 0.2))


def test_extent_and_centres_are_in_micrometres():
    assert GRID.extent_um == pytest.approx((2, 4, 10))
    np.testing.assert_allclose(GRID.axis(0), [0.25, 0.75, 1.25, 1.75])


def test_points_beyond_the_grid_belong_to_the_nearest_column():
    rows, columns = GRID.columns_at(np.array([[-1.0, 0.05, 0.3], [9.0, 9.0, 99.0]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 39], [1, 49])


def test_places_are_drawn_only_where_there_is_density(rng):
    density = np.zeros(GRID.shape[1:])
    density[10:12, 20] = 1
    places = draw_places(density, GRID, 50, rng)
    assert places.shape == (50, 3)
    assert density[GRID.columns_at(places)].all()
    assert (places[:, 0] == 0).all()


def test_no_density_no_places(rng):
    assert draw_places(np.zeros(GRID.shape[1:]), GRID, 5, rng).shape == (0, 3)


def test_noise_has_mean_0_and_deviation_1(rng):
    field = noise_field(GRID, 0.2, 3, rng)
    assert field.shape == (40, 50)
    assert field.dtype == np.float32
    assert (field.mean(), field.std()) == pytest.approx((0, 1), abs=1e-4)


def test_noise_falls_off_with_the_power_asked_for(rng):
    grid = Grid((1, 256, 256), (1, 0.1, 0.1))
    power = np.mean([np.abs(np.fft.rfft2(noise_field(grid, 1.0, 2, rng))) ** 2 for _ in range(8)], axis=0)
    frequency = np.hypot(np.fft.fftfreq(256, 0.1)[:, None], np.fft.rfftfreq(256, 0.1))
    low, high = (power[(frequency > k) & (frequency < 1.2 * k)].mean() for k in (1.0, 3.0))
    # far beyond 1 / 2π the power falls as k^-4; 8 fields of hundreds of waves each say so to a few percent
    assert np.log(low / high) / np.log(3) == pytest.approx(4, abs=0.2)


@pytest.fixture
def rng():
    return np.random.default_rng(1)
