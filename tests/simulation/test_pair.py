from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_mitostain.errors import SettingsError
from napari_mitostain.simulation import SimulatedPair, simulate_cell
from napari_mitostain.simulation.optics import image_fluorescence

SMALL = (72, 64)


@pytest.fixture(scope="module")
def pair() -> SimulatedPair:
    return simulate_cell(SMALL, planes=3, plane_spacing_um=1.0, seed=5)


def test_a_pair_is_two_stacks_of_8_bit_planes(pair):
    for stack in (pair.brightfield, pair.mitochondria):
        assert stack.shape == (3, *SMALL)
        assert stack.dtype == np.uint8
    assert (pair.pixel_size_um, pair.plane_spacing_um) == (0.08, 1.0)
    with pytest.raises(FrozenInstanceError):
        pair.pixel_size_um = 1.0


def test_grey_levels_are_those_of_the_real_pairs(pair):
    assert 60 < pair.brightfield.mean() < 100
    assert 5 < pair.brightfield.std() < 30
    assert pair.mitochondria.min() < 30
    assert 90 < np.percentile(pair.mitochondria, 99) < 150


def test_same_seed_same_pair(pair):
    again = simulate_cell(SMALL, planes=3, plane_spacing_um=1.0, seed=5)
    np.testing.assert_array_equal(again.brightfield, pair.brightfield)
    np.testing.assert_array_equal(again.mitochondria, pair.mitochondria)


def test_another_seed_is_another_cell(pair):
    other = simulate_cell(SMALL, planes=1, seed=6)
    assert (other.brightfield[0] != pair.brightfield[1]).mean() > 0.5
    assert abs(np.corrcoef(other.mitochondria[0].ravel(), pair.mitochondria[1].ravel())[0, 1]) < 0.6


def test_defocus_changes_brightfield_beyond_noise(pair):
    low, high = pair.brightfield[0].astype(float), pair.brightfield[2].astype(float)
    assert (low - high).std() > 1.2 * np.sqrt(2) * 0.065 * 80  # 6.5 % noise of each at level 80


def test_fluorescence_is_bright_where_mitochondria_are(phantom):
    (plane,) = image_fluorescence(phantom, [1.625])
    labelled = phantom.label[6] > 0.5  # the slice in focus
    assert phantom.heights_um[6] == 1.625
    assert plane[labelled].mean() > 2 * plane[~labelled].mean()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shape": (8, 64)}, "rows"),
        ({"shape": (64, 9999)}, "columns"),
        ({"shape": (64.0, 64)}, "rows"),
        ({"shape": (64,)}, "shape"),
        ({"shape": 64}, "shape"),
        ({"planes": 0}, "planes"),
        ({"planes": True}, "planes"),
        ({"plane_spacing_um": 0.0}, "plane spacing"),
        ({"plane_spacing_um": float("nan")}, "plane spacing"),
        ({"pixel_size_um": 1.0}, "pixel size"),
        ({"pixel_size_um": "fine"}, "pixel size"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence(settings, words):
    with pytest.raises(SettingsError, match=rf"^Expected .*{words}.*, got .*; .*\.$"):
        simulate_cell(**settings)


def test_numbers_may_come_from_numpy():
    pair = simulate_cell((np.int64(16), 16), planes=np.int32(1), pixel_size_um=np.float32(0.2), seed=np.int64(1))
    assert pair.brightfield.shape == (1, 16, 16)
