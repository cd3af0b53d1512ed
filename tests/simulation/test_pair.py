from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from napari_mitostain.config import CellSettings, Indices, MicroscopeSettings, SimulationSettings
from napari_mitostain.errors import SettingsError
from napari_mitostain.simulation import SimulatedPair, simulate_cell, simulate_pair
from napari_mitostain.simulation.fluorescence import image_fluorescence

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


def test_grey_levels_are_those_of_the_real_pairs():
    whole = simulate_pair(SimulationSettings(shape=(256, 256)), 3)
    assert 45 < np.median(whole.brightfield) < 90
    assert 5 < whole.brightfield.std() < 30
    assert whole.mitochondria.min() < 30
    assert 50 < np.percentile(whole.mitochondria, 99) <= 255


def test_same_seed_same_pair(pair):
    again = simulate_cell(SMALL, planes=3, plane_spacing_um=1.0, seed=5)
    np.testing.assert_array_equal(again.brightfield, pair.brightfield)
    np.testing.assert_array_equal(again.mitochondria, pair.mitochondria)


def test_same_seed_same_pair_also_when_randomised_and_what_was_drawn_is_told():
    first, again, other = (simulate_pair(SimulationSettings(shape=(48, 48)), seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.brightfield, again.brightfield)
    np.testing.assert_array_equal(first.mitochondria, again.mitochondria)
    assert first.settings == again.settings != other.settings
    assert first.settings.cell != CellSettings()


def test_another_seed_is_another_cell(pair):
    other = simulate_cell(SMALL, planes=1, seed=6)
    assert (other.brightfield[0] != pair.brightfield[1]).mean() > 0.5
    assert abs(np.corrcoef(other.mitochondria[0].ravel(), pair.mitochondria[1].ravel())[0, 1]) < 0.6


def test_defocus_changes_brightfield_beyond_noise(pair):
    still = replace(pair.settings, microscope=MicroscopeSettings(brightfield_electrons=1e6))
    quiet = simulate_pair(still, 5).brightfield.astype(float)
    noise = (pair.brightfield - quiet).std()
    assert (quiet[0] - quiet[2]).std() > 1.5 * noise


def test_fluorescence_is_bright_where_mitochondria_are(phantom):
    slice_in_focus = int(np.argmax((phantom.label > 0.5).sum(axis=(1, 2))))
    (plane,) = image_fluorescence(phantom, [phantom.heights_um[slice_in_focus]])
    labelled = phantom.label[slice_in_focus] > 0.5
    assert plane[labelled].mean() > 1.5 * plane[~labelled].mean()


def test_a_field_without_cells_is_even_and_dark():
    empty = SimulationSettings(shape=(64, 64), randomise=0, cell=CellSettings(empty=1, debris=0))
    pair = simulate_pair(empty, 1)
    assert pair.brightfield.std() < 0.15 * pair.brightfield.mean()
    assert pair.mitochondria.max() < 25


def test_large_pixels_collect_the_light_of_small_ones():
    plain = SimulationSettings(shape=(32, 32), pixel_size_um=0.24, randomise=0)
    pair = simulate_pair(plain, 2)
    assert pair.mitochondria.shape == (1, 32, 32)
    assert pair.mitochondria.max() > 2 * np.median(pair.mitochondria)


def test_16_bits_hold_more_levels():
    pair = simulate_pair(SimulationSettings(shape=(64, 64), bits=16), 2)
    assert pair.brightfield.dtype == pair.mitochondria.dtype == np.uint16
    assert len(np.unique(pair.brightfield)) > 256


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (lambda: SimulationSettings(bits=12), "8 or 16 bits"),
        (lambda: SimulationSettings(shape=(16, 2048), pixel_size_um=0.2), "field"),
        (lambda: SimulationSettings(scaling="each"), "scaling"),
        (lambda: SimulationSettings(randomise=-1), "randomise"),
        (lambda: SimulationSettings(cell=5), "cell"),
        (lambda: CellSettings(mitochondria=float("inf")), "mitochondria"),
        (lambda: CellSettings(tube_radius_um=(0.3, 0.2)), "tube radius"),
        (lambda: CellSettings(tube_radius_um=0.2), "tube radius"),
        (lambda: CellSettings(indices=1.4), "refractive indices"),
        (lambda: Indices(lipid=3), "lipid"),
        (lambda: MicroscopeSettings(directions=0), "directions"),
        (lambda: MicroscopeSettings(condenser_na="wide"), "condenser na"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(settings, words):
    with pytest.raises(SettingsError, match=rf"^Expected .*{words}.*, got .*; .*\.$"):
        settings()


def test_settings_survive_a_file():
    settings = SimulationSettings(shape=(64, 48), cell=CellSettings(lipid=0.5, indices=Indices(lipid=1.45)))
    assert SimulationSettings.from_dict(settings.to_dict()) == settings


def test_numbers_may_come_from_numpy():
    pair = simulate_cell((np.int64(16), 16), planes=np.int32(1), pixel_size_um=np.float32(0.2), seed=np.int64(1))
    assert pair.brightfield.shape == (1, 16, 16)
