"""Bands by number, and what lies in them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting import Bands, band_numbers, band_shares, bands, statistics, tn_weights

JUMPY = WeightSettings(a=(0.0, 0.0, 0.0), b=(1.0, 2.0, 3.0))
"""Weights that are the number of the band."""


def test_pixels_on_a_threshold_belong_to_the_band_below() -> None:
    image = np.array([[0.0] * 9 + [10.0]])  # µ = 1, σ = √(90 / 10) = 3: M1 = 4, M2 = 10, all exact in binary
    edges = bands(statistics(image))
    assert band_numbers(np.array([4.0, 4.5, 10.0, 10.5]), edges).tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_numbers_are_of_the_bands_that_the_weights_use(dtype: type) -> None:
    image = np.random.default_rng(0).exponential(20, (40, 40)).clip(0, 255).astype(dtype)
    np.testing.assert_array_equal(band_numbers(image, bands(statistics(image))), tn_weights(image, JUMPY))


def test_pixels_that_are_not_finite_lie_in_no_band() -> None:
    image = np.array([[0.0, np.nan, np.inf, -np.inf, 1.0]])
    numbers = band_numbers(image, bands(statistics(image)))
    assert numbers.dtype == np.uint8
    assert (numbers > 0).tolist() == [[True, False, False, False, True]]
    # two finite pixels, 0 and 1: µ + σ = 1, so both lie in band 1
    assert band_shares(numbers) == (1.0, 0.0, 0.0)


def test_shares_by_hand() -> None:
    numbers = np.array([[1, 1, 2], [3, 0, 2]], np.uint8)
    assert band_shares(numbers) == (2 / 5, 2 / 5, 1 / 5)
    amount = np.array([[1, 2, 3], [4, 100, 0]], np.float32)  # 100 lies in no band
    assert band_shares(numbers, amount) == (3 / 10, 3 / 10, 4 / 10)


def test_nothing_is_shared_out_as_nothing() -> None:
    assert band_shares(np.zeros((3, 3), np.uint8)) == (0.0, 0.0, 0.0)
    assert band_shares(np.ones((3, 3), np.uint8), np.zeros((3, 3))) == (0.0, 0.0, 0.0)


@given(
    numbers=hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=6), elements=st.integers(0, 3)),
    data=st.data(),
)
def test_shares_add_up_to_one(numbers: NDArray[Any], data: st.DataObject) -> None:
    amount = data.draw(hnp.arrays(np.float64, numbers.shape, elements=st.floats(0, 1e6)))
    for shares, total in (
        (band_shares(numbers), numbers.any()),
        (band_shares(numbers, amount), amount[numbers > 0].sum() > 0),
    ):
        assert min(shares) >= 0
        assert math.fsum(shares) == pytest.approx(1.0 if total else 0.0, abs=1e-12)  # a few roundings of float64


def test_bands_of_float32_do_not_see_an_offset() -> None:
    image = np.random.default_rng(0).integers(0, 64, (64, 64)) / 64  # these and the offset are exact in float32
    edges = bands(statistics(image))
    lifted = Bands(tuple(edge + 1e5 for edge in edges.edges))
    numbers = band_numbers((image + 1e5).astype(np.float32), lifted)
    np.testing.assert_array_equal(numbers, band_numbers(image, edges))
