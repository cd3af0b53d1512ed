"""An array that is filled from tiles when it is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain._qt.live_array import LiveArray
from napari_mitostain.image import PlaneIndex
from napari_mitostain.tiling import Box

SIDE = 4
TRUTH = np.random.default_rng(0).random((2, 3, 11, 9), np.float32)


def find(plane: PlaneIndex, box: Box) -> list[tuple[Box, np.ndarray]]:
    """Return tiles of the truth, also some that lie beside the box."""
    assert 0 <= box[0].start < box[0].stop <= 11
    assert 0 <= box[1].start < box[1].stop <= 9
    boxes = [
        (slice(row, min(row + SIDE, 11)), slice(column, min(column + SIDE, 9)))
        for row in range(0, 11, SIDE)
        for column in range(0, 9, SIDE)
    ]
    return [(tile, TRUTH[plane][tile]) for tile in boxes]


def live(axes: str = "TZYX", shape: tuple[int, ...] = TRUTH.shape, found: Any = find) -> LiveArray:
    return LiveArray(axes, tuple(range(length) for length in shape), found)


positions = st.integers(-2, 1)
slices = st.builds(
    slice, st.none() | st.integers(-6, 12), st.none() | st.integers(-6, 12), st.none() | st.integers(1, 3)
)
keys = st.tuples(positions | slices, positions | slices, slices, slices)


@given(keys, st.none() | st.tuples(slices, slices))
def test_parts_are_those_of_an_array(key: Any, again: Any) -> None:
    part, expected = live()[key], TRUTH[key]
    if again is not None:
        part, expected = part[(..., *again)], expected[(..., *again)]
    assert (part.shape, part.ndim, part.size) == (expected.shape, expected.ndim, expected.size)
    np.testing.assert_array_equal(np.asarray(part), expected)


def test_nothing_is_looked_for_before_the_array_is_filled() -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    part = live(found=never)[1, :, ::2, 3:5]
    assert (part.shape, part.dtype) == ((3, 6, 2), np.float32)


def test_what_is_not_stained_is_zero() -> None:
    tiles = [((slice(0, 4), slice(4, 8)), TRUTH[1, 2, :4, 4:8])]
    filled = np.asarray(live(found=lambda plane, _: tiles if plane == (1, 2) else []))
    assert filled[1, 2, :4, 4:8].all()
    assert np.count_nonzero(filled) == 16


def test_columns_before_rows() -> None:
    turned = live("XZY", (9, 3, 11), lambda plane, box: find((0, *plane), box))
    np.testing.assert_array_equal(np.asarray(turned[2:, 1]), TRUTH[0, 1].T[2:])


def test_data_type_that_is_asked_for() -> None:
    assert np.asarray(live()[0, 0], dtype=np.float64).dtype == np.float64
    with pytest.raises(IndexError):
        live()[5]
