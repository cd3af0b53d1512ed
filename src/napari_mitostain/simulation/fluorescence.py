"""Fluorescence in a widefield microscope: each slice of the label, blurred by how far it is out of focus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import ifft2, irfft2, rfft2

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.phantom import Phantom
from napari_mitostain.simulation.pupil import axial_frequency, frequencies, phasor, pupil


def image_fluorescence(
    phantom: Phantom,
    focus_um: Sequence[float],
    microscope: MicroscopeSettings = MicroscopeSettings(),
    shift_um: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Image a phantom's label, light from above and below the focus included.

    The spread of a point is the squared Fourier transform of the pupil (Goodman, Introduction to Fourier Optics); label
    that is dimmed by nothing gives the same light at any defocus.

    Parameters
    ----------
    phantom : Phantom
    focus_um : sequence of float
        Heights above the coverslip to focus on.
    microscope : MicroscopeSettings
    shift_um : tuple of float
        How far the image lies off along rows and columns.

    Returns
    -------
    ndarray of float32
        Intensity (Z, Y, X), in label times µm. The field wraps around at its border.
    """
    shape = (phantom.label.shape[1], phantom.label.shape[2])
    rows, columns = frequencies(shape, phantom.pixel_size_um)
    axial = np.float32(2 * np.pi) * axial_frequency(rows, columns, microscope.emission_um, microscope)
    lens = pupil(rows, columns, microscope.emission_um, microscope)
    by_way: dict[float, list[tuple[int, int]]] = defaultdict(list)
    for number, height in enumerate(phantom.heights_um):
        for plane, focus in enumerate(focus_um):
            by_way[round(height - focus, 6)].append((number, plane))
    waves = rfft2(np.float32(phantom.slice_um) * phantom.label)  # (slices, Y, X // 2 + 1)
    spectrum = np.zeros((len(focus_um), *waves.shape[1:]), np.complex64)
    for way, meetings in by_way.items():
        spread = ifft2(lens * phasor(np.float32(way) * axial))
        transfer = rfft2(spread.real**2 + spread.imag**2)
        transfer /= transfer[0, 0].real
        for number, plane in meetings:
            spectrum[plane] += transfer * waves[number]
    across = rows * np.float32(shift_um[0]) + columns[:, : spectrum.shape[2]] * np.float32(shift_um[1])
    return irfft2(spectrum * phasor(np.float32(-2 * np.pi) * across), s=shape).clip(0).astype(np.float32, copy=False)
