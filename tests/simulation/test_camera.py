from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.camera import Camera, record_brightfield, record_fluorescence


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_brightfield_noise_is_that_of_the_real_pairs(rng):
    grey = record_brightfield(np.ones((200, 200), np.float32), rng)
    assert grey.dtype == np.uint8
    assert grey.mean() == pytest.approx(80, abs=0.2)
    assert grey.std() / grey.mean() == pytest.approx(0.065, abs=0.005)


def test_a_darker_object_is_darker_and_glare_saturates(rng):
    grey = record_brightfield(np.full((3, 50, 50), [[[0.5]], [[1.0]], [[9.0]]], np.float32), rng)
    assert grey[0].mean() < 45 < 75 < grey[1].mean()
    assert (grey[2] == 255).all()


def test_planes_share_one_exposure(rng):
    planes = np.zeros((2, 64, 64), np.float32)
    planes[0, :32], planes[1, :32] = 1, 0.5
    grey = record_fluorescence(planes, rng).astype(float)
    dark = grey[:, 32:].mean()
    assert grey[0, :32].mean() - dark == pytest.approx(2 * (grey[1, :32].mean() - dark), rel=0.02)


def test_darkness_is_recorded_as_faint_stray_light(rng):
    grey = record_fluorescence(np.zeros((1, 64, 64), np.float32), rng)
    assert 5 <= grey.mean() <= 15
    assert 0 < grey.std() < 4


def test_noise_follows_the_camera(rng):
    quiet = Camera(brightfield_electrons=1e6, read_noise=0)
    assert record_brightfield(np.ones((64, 64), np.float32), rng, quiet).std() < 0.5
