"""Domain randomisation: cells and microscopes that differ from pair to pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from napari_mitostain.config import (
    CELL_BOUNDS,
    MICROSCOPE_BOUNDS,
    Bounds,
    CellSettings,
    MicroscopeSettings,
    SimulationSettings,
)

_FOCUS_UM = 0.5
"""How far up or down the focus lies at most."""

_CELL = {
    "crowding": 2.0,
    "mitochondria": 2.0,
    "gathering_um": 1.6,
    "fragmented": 1.8,
    "tube_um": 1.5,
    "tube_radius_um": 1.15,
    "fragment_radius_um": 1.15,
    "branching": 1.5,
    "fusion": 1.5,
    "label_cytosol": 2.0,
    "aggregates": 3.0,
    "vesicles": 2.0,
    "vacuoles": 3.0,
    "lipid": 3.0,
    "fibres": 2.5,
    "texture": 1.5,
    "debris": 2.5,
}
_MICROSCOPE = {
    "condenser_na": 1.3,
    "brightfield_um": 1.06,
    "spherical": 3.0,
    "coma": 2.0,
    "astigmatism": 2.0,
    "illumination": 1.5,
    "mottle": 2.0,
    "dust": 2.0,
    "brightfield_electrons": 1.6,
    "fluorescence_electrons": 1.8,
    "background_electrons": 2.0,
    "headroom": 1.6,
    "row_noise": 2.0,
}
"""By what factor each setting is at most raised or lowered."""


def randomised(settings: SimulationSettings, random: np.random.Generator) -> SimulationSettings:
    """Draw the settings of one pair around those given, as far as `randomise` says.

    Parameters
    ----------
    settings : SimulationSettings
    random : numpy.random.Generator

    Returns
    -------
    SimulationSettings
        With `randomise` 0: what is simulated is what it says.
    """
    strength = settings.randomise
    return replace(
        settings,
        randomise=0.0,
        focus_um=settings.focus_um + strength * _FOCUS_UM * random.uniform(-1, 1),
        cell=replace(settings.cell, **_varied(settings.cell, _CELL, CELL_BOUNDS, strength, random)),
        microscope=replace(
            settings.microscope, **_varied(settings.microscope, _MICROSCOPE, MICROSCOPE_BOUNDS, strength, random)
        ),
    )


def _varied(
    settings: CellSettings | MicroscopeSettings,
    factors: Mapping[str, float],
    bounds: Bounds,
    strength: float,
    random: np.random.Generator,
) -> dict[str, Any]:
    """Multiply each setting by a factor that is drawn, evenly on a logarithmic scale, and keep it within its bounds."""
    found: dict[str, Any] = {}
    for name, most in factors.items():
        scaled = np.array(getattr(settings, name)) * most ** (strength * random.uniform(-1, 1))
        kept = scaled.clip(*bounds[name]).tolist()
        found[name] = tuple(kept) if isinstance(kept, list) else kept
    return found
