"""What light does between a plane and another, and in the objective: functions of its direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import MicroscopeSettings

Spectrum = NDArray[np.complex64]
"""Amplitudes of plane waves (Y, X) in the order of a Fourier transform."""


def frequencies(shape: tuple[int, int], pixel_size_um: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the spatial frequencies in 1/µm along rows (Y, 1) and columns (1, X)."""
    rows, columns = (np.fft.fftfreq(size, pixel_size_um).astype(np.float32) for size in shape)
    return rows[:, None], columns[None, :]


def phasor(radians: NDArray[np.float32]) -> Spectrum:
    """Return exp(i φ); cosine and sine of real numbers take a quarter of the time of a complex exponential."""
    turned = np.empty(radians.shape, np.complex64)
    np.cos(radians, out=turned.real)
    np.sin(radians, out=turned.imag)
    return turned


def effective_aperture(microscope: MicroscopeSettings) -> float:
    """Return the numerical aperture that takes effect: light near a right angle to the axis does not leave the cell."""
    return min(microscope.objective_na, 0.98 * microscope.medium_index)


def axial_frequency(
    rows: NDArray[np.float32], columns: NDArray[np.float32], wavelength_um: float, microscope: MicroscopeSettings
) -> NDArray[np.float32]:
    """Return the axial spatial frequency √((n/λ)² − |k|²) in 1/µm of each plane wave; 0 of those that fade."""
    largest = np.float32((microscope.medium_index / wavelength_um) ** 2)
    axial: NDArray[np.float32] = np.sqrt((largest - rows**2 - columns**2).clip(0))
    return axial


def pupil(
    rows: NDArray[np.float32], columns: NDArray[np.float32], wavelength_um: float, microscope: MicroscopeSettings
) -> Spectrum:
    """Return what the objective does to each plane wave: its aperture and its aberrations.

    Parameters
    ----------
    rows, columns : ndarray of float32
        Spatial frequencies in 1/µm, to be broadcast.
    wavelength_um : float
    microscope : MicroscopeSettings
        Aberrations are Zernike's polynomials (Noll, J. Opt. Soc. Am. 66, 207-211, 1976) of root mean square 1 over the
        aperture: spherical √5(6ρ⁴ − 6ρ² + 1), coma √8(3ρ³ − 2ρ)cos θ, astigmatism √6ρ² cos 2θ.
    """
    cutoff = effective_aperture(microscope) / wavelength_um
    x, y = columns / np.float32(cutoff), rows / np.float32(cutoff)
    squared = x**2 + y**2
    waves = microscope.spherical * np.float32(np.sqrt(5)) * (6 * squared**2 - 6 * squared + 1)
    waves += microscope.coma * np.float32(np.sqrt(8)) * (3 * squared - 2) * x
    waves += microscope.astigmatism * np.float32(np.sqrt(6)) * (x**2 - y**2)
    passed = squared <= 1
    out = np.zeros(passed.shape, np.complex64)
    out[passed] = phasor(np.float32(2 * np.pi) * waves[passed])
    return out
