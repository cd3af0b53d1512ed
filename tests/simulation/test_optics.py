from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import fft2, ifft2

from napari_mitostain.simulation.optics import Microscope, image_brightfield, image_fluorescence, transfer_functions
from napari_mitostain.simulation.phantom import Phantom

PIXEL, SLICE = 0.08, 0.25
CENTRED = Microscope(brightfield_offset_um=0)
HEIGHT = 1.125
"""Middle of the slice that `one_slice` fills."""


def one_slice(excess: np.ndarray, label: np.ndarray) -> Phantom:
    volume = np.zeros((2, 9, *excess.shape), np.float32)
    volume[0, 4], volume[1, 4] = excess, label
    return Phantom(volume[0], volume[1], PIXEL, SLICE)


def bump(size: int = 96, sigma: float = 5.0, height: float = 1e-3) -> np.ndarray:
    r = np.arange(size) - size // 2
    return (height * np.exp(-(r[:, None] ** 2 + r**2) / 2 / sigma**2)).astype(np.float32)


def thin(excess: float = 1e-3) -> Phantom:
    return one_slice(bump(height=excess), np.zeros((96, 96)))


def point(size: int = 128) -> Phantom:
    label = np.zeros((size, size))
    label[size // 2, size // 2] = 1
    return one_slice(np.zeros((size, size)), label)


def test_without_an_object_brightfield_is_uniform_and_fluorescence_dark():
    empty = one_slice(np.zeros((40, 48)), np.zeros((40, 48)))
    assert (image_brightfield(empty, [0.0, 1.0]) == 1).all()
    assert (image_fluorescence(empty, [0.0, 1.0]) == 0).all()
    assert image_brightfield(empty, [0.0, 1.0]).shape == (2, 40, 48)


def test_contrast_of_a_phase_object_inverts_through_focus():
    below, above = np.log(image_brightfield(thin(), [HEIGHT - 0.7, HEIGHT + 0.7], CENTRED))
    assert below[48, 48] > 1e-4  # light passes it first, then comes to focus, as behind a lens
    np.testing.assert_allclose(below, -above, atol=1e-6)


def test_a_phase_object_in_focus_cannot_be_seen():
    np.testing.assert_allclose(image_brightfield(thin(), [HEIGHT], CENTRED), 1, atol=1e-6)


def test_weak_contrast_grows_with_phase_and_intensity_stays_positive():
    weak, double = (np.log(image_brightfield(thin(e), [0.0], CENTRED)) for e in (1e-3, 2e-3))
    np.testing.assert_allclose(double, 2 * weak, atol=1e-6)
    assert image_brightfield(thin(0.3), [3.0], CENTRED).min() > 0


def test_the_offset_moves_the_focus_of_brightfield():
    shifted = image_brightfield(thin(), [HEIGHT], Microscope(brightfield_offset_um=0.4))
    np.testing.assert_allclose(shifted, image_brightfield(thin(), [HEIGHT + 0.4], CENTRED), atol=1e-6)


def test_coherent_light_follows_the_paraxial_formula():
    """For a plane wave and small angles the phase transfer function is 2 sin(π λ z k² / n)."""
    microscope = Microscope(condenser_na=1e-4)
    k, (transfer,) = transfer_functions([1.5], microscope, brightfield=True)
    near = k < 0.5  # 1/µm: the next term of the root is (k λ / 2 n)² ~ 1 % of this one
    expected = 2 * np.sin(np.pi * 0.56 * 1.5 * k[near] ** 2 / 1.36)
    np.testing.assert_allclose(transfer[near], expected, atol=0.02)


@pytest.mark.parametrize("way", [0.0, 1.0, -1.0])
def test_incoherent_transfer_is_the_autocorrelation_of_the_pupil(way):
    size, microscope = 256, Microscope(objective_na=1.1)
    f = np.fft.fftfreq(size, PIXEL)
    radius = np.hypot(f[:, None], f)
    axial = np.sqrt(((1.36 / 0.51) ** 2 - radius**2).clip(0))
    pupil = np.exp(2j * np.pi * way * axial) * (radius <= 1.1 / 0.51)
    spread = fft2(np.abs(ifft2(pupil)) ** 2)
    exact = (spread / spread[0, 0]).real[0, : size // 2]
    k, (transfer,) = transfer_functions([way], microscope, brightfield=False)
    # a pupil of about 90 pixels across has an uneven rim: about 1 % of its area
    np.testing.assert_allclose(np.interp(f[: size // 2], k, transfer, right=0), exact, atol=0.02)


def test_fluorescence_keeps_all_light_at_any_defocus():
    planes = image_fluorescence(point(), [HEIGHT, HEIGHT + 0.5, HEIGHT - 1.0])
    np.testing.assert_allclose(planes.sum(axis=(1, 2)), SLICE, rtol=1e-5)
    # a rough sum over directions would leave rings below zero
    assert -planes.clip(max=0).sum(axis=(1, 2)).min() < 0.03 * SLICE


def test_a_point_is_sharpest_in_focus_and_symmetric():
    below, focus, above = image_fluorescence(point(), [HEIGHT - 0.8, HEIGHT, HEIGHT + 0.8])
    assert np.unravel_index(focus.argmax(), focus.shape) == (64, 64)
    assert focus.max() > 3 * above.max()
    np.testing.assert_allclose(below, above, atol=1e-6)
    width = (focus[64] > focus.max() / 2).sum() * PIXEL
    assert 0.16 <= width <= 0.32  # 0.51 λ / NA = 0.20 µm, on pixels of 0.08 µm


def test_light_steeper_than_the_critical_angle_stays_in_the_cell():
    assert Microscope().aperture < 1.36
    assert Microscope(objective_na=0.8).aperture == 0.8
