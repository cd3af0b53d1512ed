"""Tiles stained one by one: each is what the stain of the whole stack has there."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError, ImageError
from napari_mitostain.image import Stack, scale_brightfield, units
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining import live_plane, stain
from napari_mitostain.staining.live import (
    LiveSource,
    LiveTile,
    OutOfMemory,
    TileKey,
    open_live,
    ready_plane,
    stain_tile,
)
from napari_mitostain.staining.resampling import resampled

EXACT = StainSettings(precision="float32", tile=16)


def whole(level: int, source: LiveSource, plane: tuple[int, ...] = ()) -> np.ndarray:
    """Stain all tiles of a plane, and put them together."""
    grid = source.levels[level]
    assert grid is not None
    height, width = grid.stack.plane_shape
    result = np.full((height, width), np.nan, np.float32)
    known: Any = None
    for place in grid.tiles((slice(0, height), slice(0, width)), (0, 0), source.side):
        key = TileKey(level, plane, place, source.side)
        known = known or ready_plane(source, key)
        tile = stain_tile(source, key, known)
        assert isinstance(tile, LiveTile)
        assert np.isnan(result[tile.box]).all()  # each pixel comes once
        result[tile.box] = tile.values
    return result


@pytest.mark.parametrize("pixel_size", [0.05, 0.083, 0.1, 0.13, 0.4])
def test_tiles_are_those_of_the_full_stain(tiny_model: Model, cells: np.ndarray, pixel_size: float) -> None:
    stack = Stack(cells, "YX", {"Y": pixel_size, "X": pixel_size})
    settings = StainSettings(precision="float32", tile=16, resample=True)
    live = whole(0, open_live([stack], [1.0], tiny_model, settings))
    np.testing.assert_allclose(live, stain(stack, tiny_model, settings), atol=1e-5)  # float32, other windows


def test_tiles_of_a_plane_read_in_parts_are_those_of_the_full_stain(
    tiny_model: Model, cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "LARGE", 0)
    monkeypatch.setattr(live_plane, "_BLOCKS", 1)  # one block that is the plane: its contrast is no estimate
    for pixel_size in (0.1, 0.083, 0.13):
        stack = Stack(cells, "YX", {"Y": pixel_size, "X": pixel_size})
        settings = StainSettings(precision="float32", tile=16, resample=True)
        live = whole(0, open_live([stack], [1.0], tiny_model, settings))
        # the background is summed in another order, and its unit is another: 1e-3 of the contrast, as tested there
        np.testing.assert_allclose(live, stain(stack, tiny_model, settings), atol=2e-3)


def test_measured_contrast_is_that_of_the_full_stain(
    tiny_model: Model, cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "LARGE", 0)
    for name, value in {"_BLOCK_PX": 8, "_STRIP": (16, 30)}.items():
        monkeypatch.setattr(live_plane, name, value)
    for pixel_size in (0.1, 0.13):
        stack = Stack(cells, "YX", {"Y": pixel_size, "X": pixel_size})
        settings = StainSettings(precision="float32", tile=64, resample=True)
        source = open_live([stack], [1.0], tiny_model, settings)
        key = TileKey(0, (), (0, 0), source.side)
        estimated = ready_plane(source, key)
        *strips, contrast = estimated.measure()
        assert strips
        assert not any(strips)
        measured = ready_plane(source, key, contrast)
        assert [estimated.is_exact, measured.is_exact] == [False, True]
        box = slice(0, source.levels[0].shape[0]), slice(0, source.levels[0].shape[1])  # type: ignore[union-attr]
        scaled = scale_brightfield(resampled(cells, pixel_size / 0.1), tiny_model.card.scaling)
        np.testing.assert_allclose(measured.scaled(box), scaled, atol=1e-3)  # as tested of parts


def test_only_what_a_tile_needs_is_read_of_a_large_plane(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "LARGE", 0)
    monkeypatch.setattr(live_plane, "_BLOCK_PX", 16)
    read: list[int] = []

    class Counted:
        shape, dtype = (3000, 3000), np.dtype(np.uint8)

        def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
            part = np.random.default_rng(0).integers(0, 255, [side.stop - side.start for side in key], dtype=np.uint8)
            read.append(part.size)
            return part

    source = open_live([Stack(Counted(), "YX")], [1.0], tiny_model, EXACT)
    key = TileKey(0, (), (90, 90), source.side)
    tile = stain_tile(source, key, ready_plane(source, key))
    assert isinstance(tile, LiveTile)
    assert tile.box == (slice(1440, 1456), slice(1440, 1456))
    assert sum(read) < 3000 * 3000 / 10


@pytest.mark.parametrize("lazy", [da.from_array, zarr.array], ids=["dask", "zarr"])
def test_levels_are_stained_at_the_finest_one_s_pixels(tiny_model: Model, cells: np.ndarray, lazy: Any) -> None:
    coarse = cells[:52:2, :70:2]
    levels = [Stack(lazy(cells[None, :52, :70]), "ZYX"), Stack(lazy(coarse[None]), "ZYX")]
    live = whole(1, open_live(levels, [1.0, 2.0], tiny_model, EXACT), (0,))
    alone = Stack(coarse, "YX", {"Y": 0.2, "X": 0.2})  # twice the model's pixel size
    expected = stain(alone, tiny_model, StainSettings(precision="float32", resample=True))
    np.testing.assert_allclose(live, expected, atol=1e-5)


def test_levels_too_coarse_for_the_model_are_left_out(tiny_model: Model, cells: np.ndarray) -> None:
    levels = [Stack(cells, "YX"), Stack(cells[::8, ::8], "YX"), Stack(cells[::32, ::32], "YX")]
    source = open_live(levels, [1.0, 8.0, 32.0], tiny_model, EXACT)
    assert [level is not None for level in source.levels] == [True, True, False]


def test_finest_level_that_would_be_resampled_beyond_reason_is_refused(tiny_model: Model, cells: np.ndarray) -> None:
    stack = Stack(cells, "YX", {"Y": 100.0, "X": 100.0})
    with pytest.raises(ImageError, match="correct the pixel size"):
        open_live([stack], [1.0], tiny_model, StainSettings(resample=True))


def test_constant_plane_has_an_empty_stain(tiny_model: Model) -> None:
    source = open_live([Stack(np.full((40, 50), 9, np.uint8), "YX")], [1.0], tiny_model, EXACT)
    assert not whole(0, source).any()


def test_tiles_nearest_to_a_point_come_first(tiny_model: Model, cells: np.ndarray) -> None:
    level = open_live([Stack(cells, "YX")], [1.0], tiny_model, EXACT).levels[0]
    assert level is not None
    box = slice(0, 53), slice(20, 50)
    places = level.tiles(box, (40, 25), 16)
    assert places[0] == (2, 1)
    assert {*places} == {(row, column) for row in range(4) for column in range(1, 4)}  # columns 16 to 63


def test_lack_of_memory_gives_smaller_tiles_down_to_one_stride(
    tiny_model: Model, cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = []

    def fails(self: Predictor, window: np.ndarray) -> np.ndarray:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(Predictor, "__call__", fails)
    monkeypatch.setattr(Predictor, "release_memory", lambda _: released.append(True))
    source = open_live([Stack(cells, "YX")], [1.0], tiny_model, EXACT)
    key = TileKey(0, (), (0, 0), source.side)
    assert stain_tile(source, key, ready_plane(source, key)) == OutOfMemory(16)
    assert released == [True]
    sides = [source.side]
    while source.side > 4:
        source = source.with_smaller_tiles()
        sides.append(source.side)
    assert sides == [16, 8, 4]
    with pytest.raises(DeviceError, match="close other programs"):
        source.with_smaller_tiles()


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    tiny_model: Model, cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Predictor, window: np.ndarray) -> np.ndarray:
        raise RuntimeError("device lost")

    monkeypatch.setattr(Predictor, "__call__", fails)
    source = open_live([Stack(cells, "YX")], [1.0], tiny_model, EXACT)
    key = TileKey(0, (), (0, 0), source.side)
    with pytest.raises(RuntimeError, match="device lost"):
        stain_tile(source, key, ready_plane(source, key))
