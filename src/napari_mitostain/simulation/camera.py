"""What an sCMOS camera makes of the light, scaled to 8 or 16 bit as the real pairs are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import MicroscopeSettings, SimulationSettings

_BRIGHTFIELD_RANGE = (0.5, 2.45)
"""Darkest and brightest intensity that a real frame reaches at least, relative to undisturbed light."""

_MITOCHONDRION = 0.16
"""Intensity of a straight mitochondrion in focus, in label times µm."""


def record_brightfield(
    intensity: NDArray[np.float32], random: np.random.Generator, settings: SimulationSettings = SimulationSettings()
) -> NDArray[Any]:
    """Record relative brightfield intensity (1 without an object) as grey levels.

    Parameters
    ----------
    intensity : ndarray of float32
        (..., Y, X): planes, and times if there are several.
    random : numpy.random.Generator
    settings : SimulationSettings

    Returns
    -------
    ndarray of uint8 or uint16
        (..., Y, X). Minimum and maximum, of each plane or of all, are 0 and the largest grey level, as in the real
        pairs; a field in which nothing is dark or bright keeps the range of one in which something is.
    """
    electrons = settings.microscope.brightfield_electrons
    seen = _exposed(intensity * electrons, random, settings.microscope) / np.float32(electrons)
    return _grey(seen, _BRIGHTFIELD_RANGE, settings)


def record_fluorescence(
    intensity: NDArray[np.float32], random: np.random.Generator, settings: SimulationSettings = SimulationSettings()
) -> NDArray[Any]:
    """Record fluorescence (..., Y, X) in label times µm as grey levels; see `record_brightfield`."""
    microscope = settings.microscope
    gain = microscope.fluorescence_electrons / _MITOCHONDRION
    seen = _exposed(intensity * np.float32(gain) + microscope.background_electrons, random, microscope)
    least = microscope.background_electrons, microscope.headroom * microscope.fluorescence_electrons
    return _grey(seen, least, settings)


def _exposed(
    expected: NDArray[np.float32], random: np.random.Generator, microscope: MicroscopeSettings
) -> NDArray[np.float32]:
    """Return the electrons that are counted: of photons, and noise of the pixels and of the rows they are read by."""
    counted = random.poisson(expected.clip(0)).astype(np.float32)
    counted += np.float32(microscope.read_noise) * random.standard_normal(expected.shape, dtype=np.float32)
    rows = random.standard_normal((*expected.shape[:-1], 1), dtype=np.float32)
    counted += np.float32(microscope.row_noise) * rows
    return counted


def _grey(seen: NDArray[np.float32], least: tuple[float, float], settings: SimulationSettings) -> NDArray[Any]:
    """Stretch intensities, at least over a range, to all grey levels."""
    axes = (-2, -1) if settings.scaling == "frame" else None
    low = np.minimum(seen.min(axis=axes, keepdims=True), least[0])
    high = np.maximum(seen.max(axis=axes, keepdims=True), least[1])
    largest = 2**settings.bits - 1
    grey = np.rint((seen - low) * (largest / (high - low)))
    levels: NDArray[Any] = grey.astype(np.uint8 if settings.bits == 8 else np.uint16)
    return levels
