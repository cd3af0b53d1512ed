"""Brightfield of thick objects: plane waves from the condenser, sent through the cell slab by slab.

The multi-slice or beam propagation method: each slab delays the wave by what its refractive index adds, then the wave
is diffracted over the distance to the next one by the angular spectrum (Goodman, Introduction to Fourier Optics; for
cells and partially coherent light Chen et al., Optica 7, 394-403, 2020). Images of the single plane waves, which are
mutually incoherent, add up. Light that is scattered back is neglected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.phantom import Phantom
from napari_mitostain.simulation.pupil import axial_frequency, effective_aperture, frequencies, phasor, pupil

_SLAB_UM = 0.4
"""Slices are joined to slabs of about this thickness: a quarter of the light's depth of focus at 0.25 µm details."""


def image_brightfield(
    phantom: Phantom, focus_um: Sequence[float], microscope: MicroscopeSettings = MicroscopeSettings()
) -> NDArray[np.float32]:
    """Image a phantom in transmitted light.

    Parameters
    ----------
    phantom : Phantom
    focus_um : sequence of float
        Heights above the coverslip to focus on.
    microscope : MicroscopeSettings

    Returns
    -------
    ndarray of float32
        Intensity (Z, Y, X) relative to that without an object. The field wraps around at its border.
    """
    slabs, heights, spacing = _slabs(phantom, microscope)
    image = np.zeros((len(focus_um), *slabs.shape[1:]), np.float32)
    wavelength = microscope.brightfield_um
    rows, columns = frequencies(slabs.shape[1:], phantom.pixel_size_um)
    light = list(_directions(microscope))
    for tilt_rows, tilt_columns in light:
        tilted = rows + tilt_rows, columns + tilt_columns
        axial = axial_frequency(*tilted, wavelength, microscope)
        turn = np.float32(2 * np.pi) * (axial - axial[0, 0])  # radians per µm, against the wave that meets no object
        step = phasor(np.float32(spacing) * turn) * (axial > 0)
        wave = slabs[-1]  # the condenser is above: light meets the highest slab first
        for slab in slabs[-2::-1]:
            wave = slab * ifft2(step * fft2(wave))
        leaving = fft2(wave) * pupil(*tilted, wavelength, microscope)
        for plane, focus in zip(image, focus_um, strict=True):
            way = np.float32(heights[0] - focus - microscope.brightfield_offset_um)
            focused = ifft2(leaving * phasor(way * turn))
            plane += focused.real**2 + focused.imag**2
    image /= np.float32(len(light))
    return image


def _slabs(phantom: Phantom, microscope: MicroscopeSettings) -> tuple[NDArray[np.complex64], list[float], float]:
    """Join slices to slabs: their transmittance (slabs, Y, X), the heights of their middles, and their distance."""
    joined = max(1, round(_SLAB_UM / phantom.slice_um))
    starts = range(0, len(phantom.excess_index), joined)
    wave_number = np.float32(2 * np.pi / microscope.brightfield_um * phantom.slice_um)
    slabs = np.stack([phasor(wave_number * phantom.excess_index[i : i + joined].sum(axis=0)) for i in starts])
    spacing = joined * phantom.slice_um
    return slabs, [(number + 0.5) * spacing for number in range(len(slabs))], spacing


def _directions(microscope: MicroscopeSettings) -> Iterator[tuple[np.float32, np.float32]]:
    """Fill the condenser's aperture evenly with plane waves, along Vogel's spiral (Math. Biosci. 44, 179, 1979)."""
    edge = min(microscope.condenser_na, 0.99 * effective_aperture(microscope)) / microscope.brightfield_um
    golden = math.pi * (3 - math.sqrt(5))
    for number in range(microscope.directions):
        radius = edge * math.sqrt((number + 0.5) / microscope.directions)
        yield np.float32(radius * math.sin(number * golden)), np.float32(radius * math.cos(number * golden))
