from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.config import CellSettings, SimulationSettings
from napari_mitostain.simulation.randomise import randomised


def drawn(count: int = 60, **settings) -> list[SimulationSettings]:
    return [randomised(SimulationSettings(**settings), np.random.default_rng(seed)) for seed in range(count)]


def test_without_randomisation_settings_are_taken_as_they_are():
    assert drawn(1, randomise=0) == [SimulationSettings(randomise=0)]


def test_draws_vary_around_the_settings_within_their_factor():
    found = np.array([each.cell.mitochondria for each in drawn()]) / CellSettings().mitochondria
    assert 1 / 2 <= found.min() < 0.75
    assert 1.35 < found.max() <= 2
    assert np.exp(np.log(found).mean()) == pytest.approx(
        1, abs=0.15
    )  # 60 draws of a deviation of 0.4 in the logarithm: 0.05


def test_a_stronger_randomisation_varies_more():
    weak, strong = (np.std([each.focus_um for each in drawn(randomise=r)]) for r in (0.5, 1.5))
    assert strong == pytest.approx(3 * weak)


def test_what_is_drawn_is_no_longer_to_be_randomised_and_can_be_recorded():
    (one,) = drawn(1)
    assert one.randomise == 0
    assert SimulationSettings.from_dict(one.to_dict()) == one


def test_draws_stay_within_what_settings_allow():
    for each in drawn(randomise=3):
        assert 0 <= each.cell.fragmented <= 1
        assert each.cell.tube_radius_um[0] < each.cell.tube_radius_um[1]
