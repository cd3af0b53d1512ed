"""The stitch runs a function over the plan; the identity gives the plane back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from napari_mitostain.tiling import Geometry, plan_tiles, stitch, stitched

SIDES = st.one_of(st.just(1), st.integers(1, 130))


def drawn(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


@given(shape=st.tuples(SIDES, SIDES), tile=st.integers(1, 200), stride=st.sampled_from([1, 2, 4, 16]), halo=SIDES)
def test_identity_gives_the_plane_back(shape: tuple[int, int], tile: int, stride: int, halo: int) -> None:
    plane = drawn(shape)
    plan = plan_tiles(shape, tile, Geometry(stride, halo))
    np.testing.assert_array_equal(stitched(plane, plan, lambda window: window), plane)


@given(shape=st.tuples(SIDES, SIDES), tile=st.integers(4, 64), radius=st.integers(1, 6))
def test_filter_of_the_halos_radius_gives_what_it_gives_on_the_padded_plane(
    shape: tuple[int, int], tile: int, radius: int
) -> None:
    plane, size = drawn(shape), 2 * radius + 1
    plan = plan_tiles(shape, tile, Geometry(4, radius))
    padded = np.pad(plane, [(0, more) for more in plan.padding], mode="reflect")
    whole = uniform_filter(padded, size, mode="constant")[: shape[0], : shape[1]]
    tiled = stitched(plane, plan, lambda window: uniform_filter(window, size, mode="constant"))
    np.testing.assert_allclose(tiled, whole, atol=1e-12)  # running sums of at most 130 values below 1


def test_halo_that_is_too_small_shows_as_a_seam() -> None:
    plane = drawn((96, 96))
    windows = {halo: plan_tiles(plane.shape, 32, Geometry(4, halo)) for halo in (4, 8)}
    whole = stitched(
        plane, plan_tiles(plane.shape, 96, Geometry(4, 8)), lambda w: uniform_filter(w, 13, mode="constant")
    )
    tiled = {
        halo: stitched(plane, plan, lambda w: uniform_filter(w, 13, mode="constant")) for halo, plan in windows.items()
    }
    assert np.abs(tiled[4] - whole).max() > 0.01
    np.testing.assert_allclose(tiled[8], whole, atol=1e-12)


def test_tiles_come_in_the_order_asked_for_and_one_at_a_time() -> None:
    plane = drawn((40, 40))
    plan = plan_tiles(plane.shape, 16, Geometry(4, 4))
    order, calls = plan.tiles[::-1], []

    def predict(window: np.ndarray) -> np.ndarray:
        calls.append(window.shape)
        return window

    for number, (tile, core) in enumerate(stitch(plane, plan, predict, order), start=1):
        assert tile is order[number - 1]
        assert len(calls) == number
        np.testing.assert_array_equal(core, plane[tile.core])
