"""Fields without a cell, which a generator must leave dark: to train with and, with other seeds, to measure with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_mitostain.config import CellSettings, SimulationSettings
from napari_mitostain.image import scale_brightfield
from napari_mitostain.simulation import simulate_pair
from napari_mitostain.training.pair import Pair, pair_of_arrays

EMPTY = SimulationSettings(shape=(256, 256), randomise=2.0, cell=CellSettings(empty=1.0))
"""Debris, dust and stains on the optics, under microscopes of all kinds."""

_FIRST_SEED = 20_000
_DARK = 0.003
"""Mean of the fluorescence: next to nothing, but not a constant, of which the TN loss would weigh no pixel."""


def cell_free(count: int) -> Iterator[Pair]:
    """Make pairs without a cell.

    Parameters
    ----------
    count : int
        More of them begin with the same ones.
    """
    for number in range(count):
        name, seed = f"cell_free_{number:03d}", _FIRST_SEED + number
        brightfield = simulate_pair(EMPTY, seed).brightfield[0]
        target = np.random.default_rng([seed, 1]).exponential(_DARK, EMPTY.shape).astype(np.float32)
        yield pair_of_arrays(name, "cell_free", scale_brightfield(brightfield), target)
