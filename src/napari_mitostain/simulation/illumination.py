"""How unevenly a field is lit, and what dust far from the focus adds."""

from __future__ import annotations

import numpy as np

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.grid import FRAME_UM2, Grid, Plane, noise_field

_STAIN_UM = 1.5


def uneven_light(grid: Grid, microscope: MicroscopeSettings, random: np.random.Generator) -> Plane:
    """Return smooth factors around 1 (Y, X): a slope and a bowl.

    Parameters
    ----------
    grid : Grid
    microscope : MicroscopeSettings
    random : numpy.random.Generator
    """
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in grid.shape[1:])
    slope_y, slope_x, bowl = (np.float32(s) for s in random.normal(0, microscope.illumination, 3))
    factors: Plane = (1 + slope_y * y[:, None] + slope_x * x + bowl * (y[:, None] ** 2 + x**2 - 1) / 2).clip(0.1)
    return factors


def dirt(grid: Grid, microscope: MicroscopeSettings, random: np.random.Generator) -> Plane:
    """Return factors around 1 (Y, X): smooth stains, and Fresnel's rings around specks far from the focal plane."""
    factors: Plane = 1 + np.float32(microscope.mottle) * noise_field(grid, _STAIN_UM, 4, random)
    _, length, width = grid.extent_um
    for _ in range(random.poisson(microscope.dust * length * width / FRAME_UM2)):
        row, column = random.uniform(0, length), random.uniform(0, width)
        size, contrast = random.uniform(0.6, 2.0), random.uniform(0.03, 0.12) * random.choice([-1, 1])
        squared = (grid.axis(1)[:, None] - np.float32(row)) ** 2 + (grid.axis(2) - np.float32(column)) ** 2
        squared /= np.float32(size**2)
        factors += np.float32(contrast) * np.cos(np.float32(np.pi) * squared) * np.exp(-squared / 2)
    return factors
