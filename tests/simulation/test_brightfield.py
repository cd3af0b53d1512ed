"""Brightfield by multi-slice propagation, against the transfer functions of weak objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.brightfield import image_brightfield
from napari_mitostain.simulation.phantom import Phantom

PIXEL, SLICE, SIZE = 0.08, 0.2, 100
HEIGHT = 0.6
"""Middle of the slab (two slices) that `one_slab` fills."""
IDEAL = MicroscopeSettings(brightfield_um=0.56, brightfield_offset_um=0, spherical=0, coma=0, astigmatism=0)
EVEN = replace(IDEAL, condenser_na=0.5, directions=250)


def one_slab(excess: np.ndarray) -> Phantom:
    """Let two of nine slices, which make one slab, share an excess of the refractive index."""
    volume = np.zeros((9, *excess.shape), np.float32)
    volume[2:4] = excess
    return Phantom(volume, np.zeros_like(volume), PIXEL, SLICE)


def grating(periods: int, phase: float = 1e-3) -> np.ndarray:
    """Return the excess of index of a slab that delays light by a cosine of this amplitude, in radians."""
    wave = np.cos(2 * np.pi * periods * np.arange(SIZE) / SIZE) * np.ones((SIZE, 1))
    return phase * 0.56 / (2 * np.pi * 2 * SLICE) * wave


def contrast(image: np.ndarray, periods: int) -> complex:
    """Return the amplitude of a cosine in the image."""
    return 2 * np.fft.fft(image.mean(axis=0))[periods] / SIZE


def weak_object_contrast(k: float, defocus_um: float, microscope: MicroscopeSettings) -> float:
    """Transfer from phase to relative intensity (Streibl, J. Opt. Soc. Am. A 2, 121-127, 1985), on a fine mesh.

    T(k) = i Σ_s [P*(s) P(s + k) − P(s) P*(s − k)], s over the condenser's aperture, P(q) = exp(2πi z √((n/λ)² − q²)).
    """
    edge = microscope.condenser_na / microscope.brightfield_um
    x, y = np.meshgrid(*(np.linspace(-edge, edge, 301),) * 2)
    x, y = x[np.hypot(x, y) <= edge], y[np.hypot(x, y) <= edge]
    reach = min(microscope.objective_na, 0.98 * microscope.medium_index) / microscope.brightfield_um

    def pupil(across: np.ndarray) -> np.ndarray:
        squared = across**2 + y**2
        axial = np.sqrt(((microscope.medium_index / microscope.brightfield_um) ** 2 - squared).clip(0))
        return np.exp(2j * np.pi * defocus_um * axial) * (squared <= reach**2)

    through = pupil(x)
    transfer = 1j * (through.conj() * pupil(x + k) - through * pupil(x - k).conj())
    return float(transfer.mean().real)


@pytest.mark.parametrize("periods", [2, 5, 9, 14, 20])
def test_contrast_of_a_weak_grating_is_that_of_the_transfer_function(periods: int) -> None:
    defocus = [-2.0, -0.4, 0.0, 0.7, 1.5]
    images = image_brightfield(one_slab(grating(periods)), [HEIGHT - way for way in defocus], EVEN)
    found = [contrast(image, periods).real / 1e-3 for image in images]
    expected = [weak_object_contrast(periods / (SIZE * PIXEL), way, EVEN) for way in defocus]
    # of a largest contrast of 2: float32 rounds a phase of 1e-3 at 1e-4 of itself, and 250 directions sample the
    # condenser's aperture, whose rim cuts the transfer off, to about 1 %
    assert found == pytest.approx(expected, abs=0.03)


def test_without_an_object_light_is_uniform() -> None:
    empty = one_slab(np.zeros((40, 48)))
    images = image_brightfield(empty, [0.0, 1.0, 5.0], IDEAL)
    assert images.shape == (3, 40, 48)
    np.testing.assert_allclose(images, 1, atol=1e-5)


def test_a_weak_phase_object_in_focus_cannot_be_seen() -> None:
    (image,) = image_brightfield(one_slab(grating(5)), [HEIGHT], IDEAL)
    assert abs(contrast(image, 5)) < 1e-3 * 0.01


def test_contrast_inverts_through_focus() -> None:
    below, above = image_brightfield(one_slab(grating(5)), [HEIGHT - 0.7, HEIGHT + 0.7], IDEAL)
    assert contrast(below, 5).real > 0.5e-3  # light passes the slab first, then comes to focus, as behind a lens
    assert contrast(above, 5).real == pytest.approx(-contrast(below, 5).real, rel=0.02)


def test_light_that_an_objective_takes_in_completely_is_neither_lost_nor_won() -> None:
    wide = replace(IDEAL, objective_na=1.7, medium_index=1.7)
    thick = np.random.default_rng(0).uniform(0, 0.5, (9, SIZE, SIZE)).astype(np.float32)
    smooth = np.fft.ifft2(np.fft.fft2(thick) * (np.hypot(*np.meshgrid(*(np.fft.fftfreq(SIZE, PIXEL),) * 2)) < 1)).real
    phantom = Phantom(smooth.astype(np.float32), np.zeros_like(thick), PIXEL, SLICE)
    images = image_brightfield(phantom, [0.0, 0.9, 3.0], wide)
    assert images.std() > 0.05  # there is something to see
    np.testing.assert_allclose(images.mean(axis=(1, 2)), 1, atol=2e-3)  # what is scattered beyond 78° is lost


def test_a_coherent_weak_grating_follows_the_paraxial_formula() -> None:
    """For one plane wave and small angles the contrast of a phase φ is 2 sin(π λ z k² / n) φ."""
    coherent = replace(IDEAL, condenser_na=0.001, directions=1)
    (image,) = image_brightfield(one_slab(grating(4)), [HEIGHT - 1.5], coherent)
    expected = 2 * np.sin(np.pi * 0.56 * 1.5 * (4 / SIZE / PIXEL) ** 2 / 1.36)
    assert contrast(image, 4).real / 1e-3 == pytest.approx(expected, rel=0.02)  # the next term of the root is 1 %


def test_a_stronger_object_is_imaged_beyond_the_weak_limit() -> None:
    strong = image_brightfield(one_slab(grating(5, phase=1.5)), [HEIGHT - 1.0], IDEAL)
    weak = image_brightfield(one_slab(grating(5, phase=0.01)), [HEIGHT - 1.0], IDEAL)
    assert strong.min() >= 0
    assert contrast(strong[0], 5).real < 0.9 * 150 * contrast(weak[0], 5).real


def test_two_slabs_add_up_if_they_are_weak() -> None:
    volume = np.zeros((12, SIZE, SIZE), np.float32)
    low, high = volume.copy(), volume.copy()
    low[2:4], high[8:10] = grating(6), grating(6)
    focus = [-1.0, 1.0, 3.0]
    alone = [image_brightfield(Phantom(each, volume, PIXEL, SLICE), focus, IDEAL) - 1 for each in (low, high)]
    both = image_brightfield(Phantom(low + high, volume, PIXEL, SLICE), focus, IDEAL) - 1
    np.testing.assert_allclose(both, alone[0] + alone[1], atol=2e-5)  # second order: contrast squared


def test_the_offset_moves_the_focus_of_brightfield() -> None:
    shifted = image_brightfield(one_slab(grating(5)), [1.0], replace(IDEAL, brightfield_offset_um=0.4))
    np.testing.assert_allclose(shifted, image_brightfield(one_slab(grating(5)), [1.4], IDEAL), atol=1e-6)
