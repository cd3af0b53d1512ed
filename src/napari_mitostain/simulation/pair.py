"""A simulated pair: one phantom cell, seen in brightfield and in fluorescence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import SettingsError
from napari_mitostain.simulation.camera import record_brightfield, record_fluorescence
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.optics import image_brightfield, image_fluorescence
from napari_mitostain.simulation.phantom import grow_cell

_MARGIN_UM = 5.0
"""What lies around the field of view: its blur reaches in, and Fourier transforms wrap there."""

_DEPTH_UM = 6.5
_SLICE_UM = 0.25
_FOCUS_UM = 1.625
"""Height of the middle plane above the coverslip, where most mitochondria of spread cells lie."""


@dataclass(frozen=True)
class SimulatedPair:
    """Brightfield and fluorescence of the same simulated place.

    Attributes
    ----------
    brightfield, mitochondria : ndarray of uint8
        Stacks (Z, Y, X), from the coverslip up.
    pixel_size_um, plane_spacing_um : float
    """

    brightfield: NDArray[np.uint8]
    mitochondria: NDArray[np.uint8]
    pixel_size_um: float
    plane_spacing_um: float


def simulate_cell(
    shape: tuple[int, int] = (512, 512),
    planes: int = 5,
    plane_spacing_um: float = 0.5,
    pixel_size_um: float = 0.08,
    seed: int = 0,
) -> SimulatedPair:
    """Simulate a living cell in brightfield and its mitochondria in fluorescence.

    A phantom cell is imaged through the transfer functions of a widefield microscope and recorded with noise.

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
        Both stacks uint8 (planes, rows, columns).

    Raises
    ------
    SettingsError
        If a size or number is out of range.

    Notes
    -----
    Transfer functions after Streibl, J. Opt. Soc. Am. A 2, 121 (1985); refractive indices after Liu et al., Lab Chip
    16, 634 (2016). A simple simulation, for samples and tests.

    Examples
    --------
    >>> pair = simulate_cell(shape=(64, 64), planes=1, seed=3)
    >>> pair.brightfield.shape, pair.mitochondria.dtype
    ((1, 64, 64), dtype('uint8'))
    """
    _check(shape, planes, plane_spacing_um, pixel_size_um, seed)
    grown, noise = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    margin = math.ceil(_MARGIN_UM / pixel_size_um)
    padded = shape[0] + 2 * margin, shape[1] + 2 * margin
    grid = Grid((math.ceil(_DEPTH_UM / _SLICE_UM), *padded), (_SLICE_UM, pixel_size_um, pixel_size_um))
    phantom = grow_cell(grid, grown)
    focus = [_FOCUS_UM + (number - (planes - 1) / 2) * plane_spacing_um for number in range(planes)]
    inner = np.s_[:, margin : margin + shape[0], margin : margin + shape[1]]
    brightfield = record_brightfield(image_brightfield(phantom, focus)[inner], noise)
    mitochondria = record_fluorescence(image_fluorescence(phantom, focus)[inner], noise)
    return SimulatedPair(brightfield, mitochondria, pixel_size_um, plane_spacing_um)


def _check(shape: tuple[int, int], planes: int, plane_spacing_um: float, pixel_size_um: float, seed: int) -> None:
    """Refuse what cannot be simulated."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise SettingsError(f"Expected a shape of rows and columns, got {shape!r}; try (512, 512).")
    for name, size in zip(("rows", "columns"), shape, strict=True):
        _require_whole(name, size, 16, 2048)
    _require_whole("planes", planes, 1, 200)
    _require_whole("seed", seed, 0, 2**63 - 1)
    _require_length("plane spacing", plane_spacing_um, 0.01, 10)
    _require_length("pixel size", pixel_size_um, 0.03, 0.25)


def _require_whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise SettingsError(f"Expected {name} to be a whole number from {low} to {high}, got {value!r}; change it.")


def _require_length(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if not number or not low <= float(value) <= high:  # type: ignore[arg-type]
        raise SettingsError(f"Expected a {name} from {low} to {high} µm, got {value!r}; change it.")
