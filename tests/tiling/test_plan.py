"""Plans of tiles: cores that cover the plane, windows on the network's grid that reach as far as they must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mitostain.errors import SettingsError
from napari_mitostain.tiling import Geometry, plan_tile, plan_tiles

shapes = st.tuples(st.integers(1, 90), st.integers(1, 90)) | st.tuples(st.just(1), st.integers(1, 300))
geometries = st.builds(Geometry, st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 60))
tile_sizes = st.integers(1, 120)


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=60, deadline=None)
def test_cores_cover_every_pixel_once(shape: tuple[int, int], tile: int, geometry: Geometry) -> None:
    covered = np.zeros(shape, int)
    for one in plan_tiles(shape, tile, geometry).tiles:
        assert covered[one.core].size > 0
        covered[one.core] += 1
    assert (covered == 1).all()


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=60, deadline=None)
def test_windows_lie_on_the_stride_inside_the_padded_plane(
    shape: tuple[int, int], tile: int, geometry: Geometry
) -> None:
    plan = plan_tiles(shape, tile, geometry)
    for one in plan.tiles:
        for axis in range(2):
            window = one.window[axis]
            assert window.start % geometry.stride == 0
            assert window.stop % geometry.stride == 0
            assert 0 <= window.start < window.stop <= shape[axis] + plan.padding[axis]


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=60, deadline=None)
def test_windows_reach_the_halo_beyond_their_core_or_the_end_of_the_padded_plane(
    shape: tuple[int, int], tile: int, geometry: Geometry
) -> None:
    plan = plan_tiles(shape, tile, geometry)
    for one in plan.tiles:
        for axis in range(2):
            end, core, window, crop = shape[axis] + plan.padding[axis], one.core[axis], one.window[axis], one.crop[axis]
            assert window.start + crop.start == core.start  # the crop finds the core
            assert crop.stop - crop.start == core.stop - core.start
            assert crop.start >= geometry.halo or window.start == 0
            assert window.stop - core.stop >= geometry.halo or window.stop == end


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=30, deadline=None)
def test_cores_are_tiles_rounded_up_to_the_stride(shape: tuple[int, int], tile: int, geometry: Geometry) -> None:
    side = -(-tile // geometry.stride) * geometry.stride
    plan = plan_tiles(shape, tile, geometry)
    assert len(plan.tiles) == -(-shape[0] // side) * -(-shape[1] // side)
    for one in plan.tiles:
        assert all(part.start % side == 0 and part.stop - part.start <= side for part in one.core)


def test_tiles_come_row_by_row() -> None:
    plan = plan_tiles((40, 40), 16, Geometry(8, 8))
    origins = [(one.core[0].start, one.core[1].start) for one in plan.tiles]
    assert origins == sorted(origins)
    assert len(origins) == 9


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=30, deadline=None)
def test_plane_is_padded_to_the_next_multiple_of_the_stride_whatever_the_tile(
    shape: tuple[int, int], tile: int, geometry: Geometry
) -> None:
    plan = plan_tiles(shape, tile, geometry)
    for size, more in zip(shape, plan.padding, strict=True):
        assert 0 <= more < geometry.stride
        assert (size + more) % geometry.stride == 0


@given(shape=shapes, geometry=geometries)
@settings(max_examples=30, deadline=None)
def test_tile_of_the_plane_s_size_has_the_whole_padded_plane_for_its_window(
    shape: tuple[int, int], geometry: Geometry
) -> None:
    plan = plan_tiles(shape, max(shape), geometry)
    (only,) = plan.tiles
    for size, more, window in zip(shape, plan.padding, only.window, strict=True):
        assert window == slice(0, size + more)


@pytest.mark.parametrize("tile", [0, -1, -512])
def test_tile_below_one_pixel_is_refused_in_one_sentence(tile: int) -> None:
    with pytest.raises(SettingsError, match=rf"^Expected a tile size of at least 1 pixel, got {tile}; .*\.$"):
        plan_tiles((64, 64), tile, Geometry(16, 92))


@given(shape=shapes, tile=tile_sizes, geometry=geometries)
@settings(max_examples=30, deadline=None)
def test_tile_planned_alone_is_that_of_the_plan(shape: tuple[int, int], tile: int, geometry: Geometry) -> None:
    plan = plan_tiles(shape, tile, geometry).tiles
    columns = sum(one.core[0] == plan[0].core[0] for one in plan)
    alone = [plan_tile(shape, tile, geometry, divmod(number, columns)) for number in range(len(plan))]
    assert alone == [*plan]
