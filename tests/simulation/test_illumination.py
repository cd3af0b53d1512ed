from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mitostain.config import MicroscopeSettings
from napari_mitostain.simulation.grid import Grid
from napari_mitostain.simulation.illumination import dirt, uneven_light

FIELD = Grid((1, 200, 240), (1.0, 0.4, 0.4))


def test_light_falls_off_smoothly_by_the_part_asked_for():
    drawn = [uneven_light(FIELD, MicroscopeSettings(illumination=0.1), np.random.default_rng(n)) for n in range(60)]
    slopes = [(light[:, -1].mean() - light[:, 0].mean()) / 2 for light in drawn]
    assert 0.07 < np.std(slopes) < 0.13  # 60 draws know a deviation to 9 %
    assert max(np.abs(np.diff(light, axis=0)).max() for light in drawn) < 0.01


def test_even_light_is_exactly_one():
    light = uneven_light(FIELD, MicroscopeSettings(illumination=0), np.random.default_rng(0))
    assert (light == 1).all()


def test_dust_makes_rings_stains_make_patches_and_clean_optics_neither():
    random = np.random.default_rng(0)
    assert (dirt(FIELD, replace(MicroscopeSettings(), dust=0, mottle=0), random) == 1).all()
    rings = dirt(FIELD, replace(MicroscopeSettings(), dust=5, mottle=0), random)
    assert rings.shape == (200, 240)
    assert 0.02 < np.abs(rings - 1).max() < 0.5
    assert np.median(np.abs(rings - 1)) < 0.01
    stained = dirt(FIELD, replace(MicroscopeSettings(), dust=0, mottle=0.03), random)
    assert stained.std() == pytest.approx(0.03, rel=1e-3)
