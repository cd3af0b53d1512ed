from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mitostain.config import MicroscopeSettings, SimulationSettings
from napari_mitostain.simulation.camera import record_brightfield, record_fluorescence

QUIET = MicroscopeSettings(
    brightfield_electrons=1e6, fluorescence_electrons=1e6, background_electrons=0, read_noise=0, row_noise=0
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def settings(**changes):
    return SimulationSettings(**changes)


def test_an_empty_field_is_not_stretched_to_noise(rng):
    grey = record_brightfield(np.ones((1, 200, 200), np.float32), rng)
    assert grey.dtype == np.uint8
    assert 50 < grey.mean() < 80  # undisturbed light of the real pairs: 51 to 73
    assert 2 < grey.std() < 7  # their noise: 3 to 5.5
    dark = record_fluorescence(np.zeros((1, 64, 64), np.float32), rng)
    assert dark.mean() < 20
    assert dark.std() < 6


def test_darkest_and_brightest_are_the_ends_of_the_range(rng):
    ramp = np.linspace(0.2, 4, 10000, dtype=np.float32).reshape(1, 100, 100)
    for bits, largest in ((8, 255), (16, 65535)):
        grey = record_brightfield(ramp, rng, settings(bits=bits, microscope=QUIET))
        assert (grey.min(), grey.max(), grey.dtype.itemsize) == (0, largest, bits // 8)
        # a straight line, but for shot noise of 2e-3 at most
        np.testing.assert_allclose(grey[0].ravel() / largest, np.linspace(0, 1, 10000), atol=0.01)


def test_frames_are_scaled_each_or_together(rng):
    planes = np.ones((2, 64, 64), np.float32)
    planes[0, 0, :2], planes[1, 0, :2] = (0.1, 3), (0.1, 6)
    each = record_brightfield(planes, rng, settings(scaling="frame", microscope=QUIET))
    together = record_brightfield(planes, rng, settings(scaling="stack", microscope=QUIET))
    assert each[0, 9, 9] > 1.8 * each[1, 9, 9]
    assert abs(int(together[0, 9, 9]) - int(together[1, 9, 9])) <= 1


def test_noise_is_that_of_photons_pixels_and_rows(rng):
    flat = np.full((1, 300, 300), 0.16, np.float32)  # a mitochondrion in focus
    camera = MicroscopeSettings(fluorescence_electrons=100, background_electrons=20, read_noise=4, row_noise=3)
    grey = record_fluorescence(flat, rng, settings(bits=16, microscope=camera)).astype(float)
    electrons = grey[0] / 65535  # up to offset and gain
    between_rows, within = electrons.mean(axis=1).std(), electrons.std(axis=1).mean()
    # within a row √(100 + 20 + 4²), between rows 3, which 300 rows tell to 4 %
    assert between_rows / within == pytest.approx(3 / np.sqrt(136), rel=0.15)


def test_more_light_is_less_noise(rng):
    def noise(electrons):
        camera = replace(MicroscopeSettings(), brightfield_electrons=electrons)
        return record_brightfield(np.ones((1, 99, 99), np.float32), rng, settings(microscope=camera)).std()

    assert noise(400) == pytest.approx(2 * noise(1600), rel=0.1)
