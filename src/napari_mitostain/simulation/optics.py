"""Images of thin slices and of thick phantoms, by transfer functions that depend on defocus.

Both modalities follow from one sum over the directions s that light comes from (Streibl, J. Opt. Soc. Am. A 2,
121-127, 1985, for phase objects; Goodman, Introduction to Fourier Optics, for the incoherent case)::

    T(k, z) = Σ P*(s, z) P(s + k, z) / Σ |P(s, z)|²      P(k, z) = exp(2πi z √((n/λ)² − k²)) inside the aperture

Brightfield: s runs over the condenser's aperture, and a slice of phase φ changes the intensity by −2 Im T · φ.
Fluorescence: s runs over the objective's whole aperture; Re T is the optical transfer function of an incoherent slice.
A point-symmetric light source makes both depend on |k| alone, so T is summed for one direction of k.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from napari_mitostain.simulation.phantom import Phantom

_FREQUENCIES = 192
_SOURCE_RADII, _SOURCE_ANGLES = 60, 64
"""Samples of the transfer function and of half the light source; more change images by less than noise."""


@dataclass(frozen=True, slots=True)
class Microscope:
    """A widefield microscope, inverted, with a brightfield condenser.

    Attributes
    ----------
    objective_na : float
        1.42, the 60× oil objective of the real pairs.
    condenser_na : float
        How wide a cone the brightfield illumination fills; the smaller, the more coherent. The default gives the
        contrast of the real pairs in each band of spatial frequency.
    brightfield_um, emission_um : float
        Wavelengths in air: green light, and the emission of eGFP.
    medium_index : float
        Refractive index of what the light is focused through: an average over cells.
    brightfield_offset_um : float
        How far above the fluorescence's focal plane that of brightfield lies. Objectives are not quite achromatic;
        mitochondria in focus of fluorescence are brighter than their surroundings in all real series, as they are here.
    """

    objective_na: float = 1.42
    condenser_na: float = 0.3
    brightfield_um: float = 0.56
    emission_um: float = 0.51
    medium_index: float = 1.36
    brightfield_offset_um: float = -0.6

    @property
    def aperture(self) -> float:
        """Numerical aperture that takes effect: light near a right angle to the axis does not leave the cell."""
        return min(self.objective_na, 0.98 * self.medium_index)


def image_brightfield(
    phantom: Phantom, focus_um: Sequence[float], microscope: Microscope = Microscope()
) -> NDArray[np.float32]:
    """Image a phantom in transmitted light.

    Slices add up as weak objects do. Their sum is taken as the logarithm of the intensity (Rytov's approximation,
    which to first order equals Born's), since Born's would go below zero beside lipid droplets.

    Parameters
    ----------
    phantom : Phantom
    focus_um : sequence of float
        Heights above the coverslip to focus on.
    microscope : Microscope

    Returns
    -------
    ndarray of float32
        Intensity (Z, Y, X) relative to that without an object: exactly 1 for an empty phantom.
    """
    wave_number = 2 * np.pi / microscope.brightfield_um
    phase = np.float32(wave_number * phantom.slice_um) * phantom.excess_index  # (slices, Y, X), radians
    heights = [focus + microscope.brightfield_offset_um for focus in focus_um]
    return np.exp(_focused(phase, phantom, heights, microscope, brightfield=True))


def image_fluorescence(
    phantom: Phantom, focus_um: Sequence[float], microscope: Microscope = Microscope()
) -> NDArray[np.float32]:
    """Image a phantom's label in a widefield microscope, light from above and below the focus included.

    Parameters
    ----------
    phantom : Phantom
    focus_um : sequence of float
        Heights above the coverslip to focus on.
    microscope : Microscope

    Returns
    -------
    ndarray of float32
        Intensity (Z, Y, X), in label times µm; each plane collects the light of the whole phantom, and rounding of the
        sum over directions may leave faint negative values.
    """
    emitted = np.float32(phantom.slice_um) * phantom.label
    return _focused(emitted, phantom, focus_um, microscope, brightfield=False)


def _focused(
    slices: NDArray[np.float32], phantom: Phantom, focus_um: Sequence[float], microscope: Microscope, brightfield: bool
) -> NDArray[np.float32]:
    """Sum the defocused images of all slices for each height of focus: (slices, Y, X) to (Z, Y, X)."""
    shape = (slices.shape[1], slices.shape[2])
    by_way: dict[float, list[tuple[int, int]]] = defaultdict(list)
    for number, height in enumerate(phantom.heights_um):
        for plane, focus in enumerate(focus_um):  # light comes from the condenser above: a higher slice is passed first
            by_way[round(height - focus, 6)].append((number, plane))
    k, transfers = transfer_functions(list(by_way), microscope, brightfield)
    frequency = _radial_frequency(shape, phantom.pixel_size_um)
    waves = rfft2(slices)  # (slices, Y, X // 2 + 1)
    spectrum = np.zeros((len(focus_um), *waves.shape[1:]), np.complex64)
    for transfer, meetings in zip(transfers, by_way.values(), strict=True):
        filtering = np.interp(frequency, k, transfer, right=0).astype(np.float32)
        for number, plane in meetings:
            spectrum[plane] += filtering * waves[number]
    return irfft2(spectrum, s=shape).astype(np.float32, copy=False)


def _radial_frequency(shape: tuple[int, int], pixel_size_um: float) -> NDArray[np.float64]:
    """Return |k| in 1/µm for each coefficient of a real Fourier transform: (Y, X // 2 + 1)."""
    rows, columns = np.fft.fftfreq(shape[0], pixel_size_um), np.fft.rfftfreq(shape[1], pixel_size_um)
    frequency: NDArray[np.float64] = np.hypot(rows[:, None], columns[None, :])
    return frequency


def transfer_functions(
    ways_um: Sequence[float], microscope: Microscope, brightfield: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Sum the transfer functions of slices over the directions of light; the module tells the formula.

    Parameters
    ----------
    ways_um : sequence of float
        How far light travels from each slice to the plane in focus; negative if that plane is passed first.
    microscope : Microscope
    brightfield : bool
        Phase to relative intensity if True, label to fluorescence intensity if False.

    Returns
    -------
    frequencies : ndarray of float64
        Rising spatial frequencies in 1/µm, denser where the transfer function of a defocused slice changes fast.
    transfer : ndarray of float32
        The transfer of each slice at each frequency (ways, frequencies), which is zero beyond the last.
    """
    wavelength = microscope.brightfield_um if brightfield else microscope.emission_um
    cutoff = microscope.aperture / wavelength
    source = min(microscope.condenser_na / wavelength, cutoff) if brightfield else cutoff
    k = (cutoff + source) * np.linspace(0, 1, _FREQUENCIES) ** 2
    along, across, area = _half_disc(source)
    shifted = np.hypot(along[:, None] + k, across[:, None])  # |s + k|, (directions, frequencies)
    largest = microscope.medium_index / wavelength
    delay = np.sqrt((largest**2 - shifted**2).clip(0)) - np.sqrt(largest**2 - along**2 - across**2)[:, None]
    inside = (0.5 + (cutoff - shifted) * (_SOURCE_RADII / source)).clip(0, 1)  # a hard rim would make the sum jump
    turn, weight = (2 * np.pi * delay).astype(np.float32), (inside * (area / area.sum())[:, None]).astype(np.float32)
    transfer = np.empty((len(ways_um), len(k)), np.float32)
    for number, way in enumerate(ways_um):  # one at a time: (directions, frequencies) is large enough
        phase = np.float32(way) * turn
        np.einsum("sk,sk->k", weight, -2 * np.sin(phase) if brightfield else np.cos(phase), out=transfer[number])
    return k, transfer


def _half_disc(radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sample one half of a disc, which the other half mirrors: coordinates along and across k, and areas."""
    radii = radius * (np.arange(_SOURCE_RADII) + 0.5) / _SOURCE_RADII
    angles = np.pi * (np.arange(_SOURCE_ANGLES) + 0.5) / _SOURCE_ANGLES
    r, angle = (one.ravel() for one in np.meshgrid(radii, angles))
    return r * np.cos(angle), r * np.sin(angle), r
