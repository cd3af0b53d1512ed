from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import j1

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.fluorescence import image_fluorescence
from napari_mitostain.simulation.phantom import Phantom
from napari_mitostain.simulation.pupil import effective_aperture

PIXEL, SLICE, SIZE = 0.08, 0.2, 128
HEIGHT = 0.9
"""Middle of the slice that `point` lies in."""
IDEAL = MicroscopeSettings(spherical=0, coma=0, astigmatism=0)


def point(pixel: float = PIXEL, size: int = SIZE) -> Phantom:
    label = np.zeros((9, size, size), np.float32)
    label[4, size // 2, size // 2] = 1
    return Phantom(np.zeros_like(label), label, pixel, SLICE)


def test_without_label_there_is_no_light() -> None:
    empty = Phantom(*np.zeros((2, 3, 20, 24), np.float32), PIXEL, SLICE)
    assert (image_fluorescence(empty, [0.0, 1.0]) == 0).all()


def test_all_light_arrives_at_any_defocus() -> None:
    planes = image_fluorescence(point(), [HEIGHT, HEIGHT + 0.5, HEIGHT - 1.0, HEIGHT + 4.0])
    np.testing.assert_allclose(planes.sum(axis=(1, 2)), SLICE, rtol=1e-4)


def test_a_point_in_focus_is_an_airy_disc() -> None:
    pixel, middle = 0.02, SIZE // 2
    (plane,) = image_fluorescence(point(pixel), [HEIGHT], replace(IDEAL, objective_na=1.0))
    away = np.arange(1, 16) * pixel
    scaled = 2 * np.pi * 1.0 / 0.51 * away
    airy = (2 * j1(scaled) / scaled) ** 2
    # the pupil is a disc of 10 frequencies across in this field of 2.56 µm: its area is right to a few percent
    np.testing.assert_allclose(plane[middle, middle + 1 : middle + 16] / plane[middle, middle], airy, atol=0.04)


def test_width_of_a_point_is_that_of_theory() -> None:
    (plane,) = image_fluorescence(point(0.02, 256), [HEIGHT], IDEAL)
    profile = plane[128] / plane[128].max()
    half = np.interp(0.5, profile[128:148][::-1], np.arange(20)[::-1] * 0.02)
    assert 2 * half == pytest.approx(0.515 * 0.51 / effective_aperture(IDEAL), rel=0.04)  # Airy's full width


def test_a_point_is_sharpest_in_focus_and_symmetric() -> None:
    below, focus, above = image_fluorescence(point(), [HEIGHT - 0.8, HEIGHT, HEIGHT + 0.8], IDEAL)
    assert np.unravel_index(focus.argmax(), focus.shape) == (SIZE // 2, SIZE // 2)
    assert focus.max() > 3 * above.max()
    np.testing.assert_allclose(below, above, atol=1e-6)


def test_spherical_aberration_makes_both_sides_of_the_focus_differ() -> None:
    below, above = image_fluorescence(point(), [HEIGHT - 0.6, HEIGHT + 0.6], replace(IDEAL, spherical=0.1))
    assert abs(below - above).max() > 0.1 * below.max()


@pytest.mark.parametrize("name", ["spherical", "coma", "astigmatism"])
def test_weak_aberrations_lower_the_peak_as_marechal_says(name: str) -> None:
    ideal, aberrant = (
        image_fluorescence(point(), [HEIGHT], each).max() for each in (IDEAL, replace(IDEAL, **{name: 0.05}))
    )
    # exp(−(2πσ)²) = 0.906; coma also moves the peak between pixels
    assert aberrant / ideal == pytest.approx(np.exp(-((2 * np.pi * 0.05) ** 2)), abs=0.03)


def test_light_steeper_than_the_critical_angle_stays_in_the_cell() -> None:
    assert effective_aperture(MicroscopeSettings()) < 1.36
    assert effective_aperture(replace(IDEAL, objective_na=0.8)) == 0.8


def test_the_image_lies_off_by_what_registration_says() -> None:
    (moved,) = image_fluorescence(point(), [HEIGHT], IDEAL, shift_um=(2 * PIXEL, -3 * PIXEL))
    (still,) = image_fluorescence(point(), [HEIGHT], IDEAL)
    np.testing.assert_allclose(moved, np.roll(still, (2, -3), (0, 1)), atol=1e-6)
