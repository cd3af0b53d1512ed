"""A simulated pair: phantom cells, seen in brightfield and in fluorescence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from napari_mitostain.config import SimulationSettings, require_whole_between
from napari_mitostain.simulation.brightfield import image_brightfield
from napari_mitostain.simulation.camera import record_brightfield, record_fluorescence
from napari_mitostain.simulation.cell import grow_cell
from napari_mitostain.simulation.fluorescence import image_fluorescence
from napari_mitostain.simulation.grid import Grid, Plane
from napari_mitostain.simulation.illumination import dirt, uneven_light
from napari_mitostain.simulation.motion import live
from napari_mitostain.simulation.phantom import Phantom, draw_phantom
from napari_mitostain.simulation.randomise import randomised

_MARGIN_UM = 4.0
"""What lies around the field of view: its blur reaches in, and Fourier transforms wrap there."""

_FINEST_UM = 0.09
"""Light is computed on pixels no larger than this; larger ones of the camera collect it from several."""


@dataclass(frozen=True)
class SimulatedPair:
    """Brightfield and fluorescence of the same simulated place.

    Attributes
    ----------
    brightfield, mitochondria : ndarray of uint8 or uint16
        Stacks (Z, Y, X), from the coverslip up; (T, Z, Y, X) if there are several times.
    pixel_size_um, plane_spacing_um : float
    settings : SimulationSettings
        What was drawn for this pair.
    """

    brightfield: NDArray[Any]
    mitochondria: NDArray[Any]
    pixel_size_um: float
    plane_spacing_um: float
    settings: SimulationSettings


@dataclass(frozen=True)
class _Light:
    """How far fluorescence is shifted against brightfield, and how unevenly both (Y, X) are lit."""

    shift_um: tuple[float, float]
    transmitted: Plane
    emitted: Plane


def simulate_pair(settings: SimulationSettings = SimulationSettings(), seed: int = 0) -> SimulatedPair:
    """Simulate living cells in brightfield and their mitochondria in fluorescence.

    Phantom cells are sent through a model of the microscope and recorded with noise.

    Parameters
    ----------
    settings : SimulationSettings
    seed : int
        Same settings and seed, same pair, bit for bit, on one machine.

    Returns
    -------
    SimulatedPair
        Both stacks (planes, rows, columns), and before these the times if there are several.

    Raises
    ------
    SettingsError
        If the seed is negative or no whole number.

    Examples
    --------
    >>> pair = simulate_pair(SimulationSettings(shape=(64, 64), bits=16), seed=3)
    >>> pair.brightfield.shape, pair.mitochondria.dtype
    ((1, 64, 64), dtype('uint16'))
    """
    require_whole_between("seed", seed, 0, 2**63 - 1)
    streams = np.random.SeedSequence(int(seed)).spawn(5)
    chosen, grown, lit, noise, moved = (np.random.default_rng(child) for child in streams)
    drawn = randomised(settings, chosen)
    binning = math.ceil(drawn.pixel_size_um / _FINEST_UM - 1e-9)
    pixel = drawn.pixel_size_um / binning
    margin = math.ceil(_MARGIN_UM / drawn.pixel_size_um) * binning
    rows, columns = (next_fast_len(size * binning + 2 * margin) for size in drawn.shape)
    cell = grow_cell((rows, columns), pixel, drawn.cell, grown)
    light = _light(Grid((1, rows, columns), (1.0, pixel, pixel)), drawn, lit)
    seen = []
    for number, moment in enumerate(live(cell, drawn.motion, drawn.times, drawn.interval_s, moved)):
        left = np.float32((1 - drawn.motion.bleaching) ** number)
        images = _images(draw_phantom(moment, drawn.cell), light, left, drawn)
        seen.append([_in_view(image, drawn.shape, margin, binning) for image in images])
    brightfield, mitochondria = (
        record(np.stack(images), noise, drawn)  # (T, Z, Y, X)
        for record, images in zip((record_brightfield, record_fluorescence), zip(*seen, strict=True), strict=True)
    )
    if drawn.times == 1:
        brightfield, mitochondria = brightfield[0], mitochondria[0]
    return SimulatedPair(brightfield, mitochondria, drawn.pixel_size_um, drawn.plane_spacing_um, drawn)


def simulate_cell(
    shape: tuple[int, int] = (512, 512),
    planes: int = 5,
    plane_spacing_um: float = 0.5,
    pixel_size_um: float = 0.08,
    seed: int = 0,
) -> SimulatedPair:
    """Simulate a living cell in brightfield and its mitochondria in fluorescence.

    Phantom cells are sent through a model of the microscope and recorded with noise; nothing is randomised but the
    cells themselves.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, 16 to 2048 each. A field smaller than a cell looks beside the nucleus.
    planes : int
        Number of focal planes, 1 to 200, around the height at which most mitochondria lie.
    plane_spacing_um : float
        Distance of the focal planes, 0.01 to 10.
    pixel_size_um : float
        Side of a pixel in the object, 0.03 to 0.25.
    seed : int
        Same seed, same pair.

    Returns
    -------
    SimulatedPair
        Both stacks uint8 (planes, rows, columns), all planes scaled alike.

    Raises
    ------
    SettingsError
        If a size or number is out of range.

    Notes
    -----
    ``docs/simulation.md`` tells the physics and how the cells were calibrated; `simulate_pair` takes all settings.

    Examples
    --------
    >>> pair = simulate_cell(shape=(64, 64), planes=1, seed=3)
    >>> pair.brightfield.shape, pair.mitochondria.dtype
    ((1, 64, 64), dtype('uint8'))
    """
    settings = SimulationSettings(shape, planes, plane_spacing_um, pixel_size_um, scaling="stack", randomise=0.0)
    return simulate_pair(settings, seed)


def _light(grid: Grid, settings: SimulationSettings, random: np.random.Generator) -> _Light:
    """Draw what the microscope does to all images of a pair alike."""
    microscope = settings.microscope
    row, column = random.normal(0, microscope.registration_px * settings.pixel_size_um, 2)
    return _Light(
        (row, column),
        uneven_light(grid, microscope, random) * dirt(grid, microscope, random),
        uneven_light(grid, microscope, random),
    )


def _images(
    phantom: Phantom, light: _Light, left: np.float32, settings: SimulationSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Image a phantom, of whose label a part is left: brightfield and fluorescence (Z, Y, X), without noise."""
    middle, microscope = (settings.planes - 1) / 2, settings.microscope
    focus = [settings.focus_um + (number - middle) * settings.plane_spacing_um for number in range(settings.planes)]
    transmitted = image_brightfield(phantom, focus, microscope) * light.transmitted
    emitted = image_fluorescence(phantom, focus, microscope, light.shift_um) * light.emitted
    return transmitted, emitted * left


def _in_view(light: NDArray[np.float32], shape: tuple[int, int], margin: int, binning: int) -> NDArray[np.float32]:
    """Cut the margin off, and let each pixel of the camera collect its light: (Z, Y, X)."""
    rows, columns = shape
    view = light[:, margin : margin + rows * binning, margin : margin + columns * binning]
    pixels: NDArray[np.float32] = view.reshape(len(view), rows, binning, columns, binning).mean(axis=(2, 4))
    return pixels
