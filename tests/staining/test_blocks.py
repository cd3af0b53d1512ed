"""Planes too large for memory are stained in blocks: the same stain, and memory that does not grow with the plane."""

from __future__ import annotations

import shutil
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import NoContrastError
from napari_mitostain.events import FileDone, Notice, TileDone, UnitsKept
from napari_mitostain.image import load_array, part_scaling, scaling, units, units_of
from napari_mitostain.image.files import read_stack, read_tiff, write_zarr
from napari_mitostain.model.loading import Model
from napari_mitostain.staining import stain, stain_file

EXACT = StainSettings(device="cpu", precision="float32", tile=48)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "BLOCK", 96)
    monkeypatch.setattr(units, "LARGE", 96**2)
    monkeypatch.setattr(units, "_STEP", 32)
    monkeypatch.setattr(write_zarr, "_CHUNK", 32)


def plane_of(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 3000 + 400 * gaussian_filter(random.standard_normal(shape), 2) + np.linspace(0, 500, shape[1])


@pytest.mark.parametrize("shape", [(96, 96), (97, 250), (300, 5), (33, 400)])
def test_boxes_cover_the_plane_once_and_begin_where_chunks_do(shape: tuple[int, int]) -> None:
    covered = np.zeros(shape, int)
    found = units_of(load_array(np.zeros(shape, np.uint8)))
    for unit in found:
        covered[unit.box] += 1
        assert all(side.start % 32 == 0 and side.stop - side.start <= 96 for side in unit.box) or not unit.is_block
    assert (covered == 1).all()
    assert len({unit.name for unit in found}) == len(found)
    assert (len(found) == 1) == (shape[0] * shape[1] <= 96**2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
def test_stain_in_blocks_is_that_of_the_whole_plane(tiny_model: Model, tmp_path: Path, dtype: type, name: str) -> None:
    image = plane_of((200, 263))
    image = (image - image.min()) / np.ptp(image) * 250 if dtype == np.uint8 else image
    image[40, 50] = image.max() * 3 if dtype != np.uint8 else 255  # an outlier
    tifffile.imwrite(tmp_path / "in.tif", image.astype(dtype))
    events = list(stain_file(tmp_path / "in.tif", tmp_path / name, tiny_model, EXACT))
    expected = stain(image.astype(dtype), tiny_model, EXACT)
    np.testing.assert_allclose(read_stack(tmp_path / name).read(()), expected, atol=1e-4)  # the bound for tilings
    assembled = np.full(image.shape, np.nan, np.float32)
    for event in events:
        if isinstance(event, TileDone):
            assembled[event.box] = event.values
    np.testing.assert_allclose(assembled, expected, atol=1e-4)


def test_blocks_are_resumed_and_all_are_done_again_where_the_scaling_of_the_plane_changed(
    tiny_model: Model, tmp_path: Path
) -> None:
    image = plane_of((200, 263)).astype(np.uint16)
    zarr.create_array(tmp_path / "in.zarr", data=image)
    source, output = tmp_path / "in.zarr", tmp_path / "out.zarr"

    def kept() -> int:
        return sum(event.count for event in run() if isinstance(event, UnitsKept))

    def run(tiles: int | None = None) -> list[object]:
        with closing(stain_file(source, output, tiny_model, EXACT, overwrite=True)) as events:
            told: list[object] = []
            for event in events:
                told.append(event)
                if tiles is not None and sum(isinstance(each, TileDone) for each in told) == tiles:
                    return told
            return told

    whole = 4  # tiles of the first block, of 96 × 96
    run(whole + 1)
    assert kept() == 1
    np.testing.assert_allclose(read_stack(output).read(()), stain(image, tiny_model, EXACT), atol=1e-4)
    again = run()
    assert [event.kept for event in again if isinstance(event, FileDone)] == [True]  # as digests prove
    assert not [event for event in again if isinstance(event, TileDone)]
    shutil.rmtree(output)
    run(whole + 1)
    image[150:, 150:] += np.random.default_rng(0).integers(0, 3000, (50, 113), dtype=np.uint16)
    zarr.open_array(source, mode="r+")[:] = image
    assert kept() == 0
    np.testing.assert_allclose(read_stack(output).read(()), stain(image, tiny_model, EXACT), atol=1e-4)


def test_large_plane_without_contrast_is_refused(tiny_model: Model, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((200, 200), 9, np.uint16))
    with pytest.raises(NoContrastError):
        list(stain_file(tmp_path / "flat.tif", tmp_path / "out.zarr", tiny_model, EXACT))
    assert [path.name for path in tmp_path.iterdir()] == ["flat.tif"]


def test_pixels_that_are_not_finite_are_told_and_harm_nothing_else(tiny_model: Model, tmp_path: Path) -> None:
    image = plane_of((200, 263)).astype(np.float32)
    holed = image.copy()
    holed[7, 8] = np.nan
    zarr.create_array(tmp_path / "in.zarr", data=holed)
    events = list(stain_file(tmp_path / "in.zarr", tmp_path / "out.zarr", tiny_model, EXACT))
    assert isinstance(events[-1], FileDone)
    assert ["not finite" in event.message for event in events if isinstance(event, Notice)] == [True]
    written = read_stack(tmp_path / "out.zarr").read(())
    assert np.isfinite(written).all()
    np.testing.assert_allclose(written[120:], stain(image, tiny_model, EXACT)[120:], atol=1e-2)


def peak_of(tiny_model: Model, path: Path, shape: tuple[int, ...]) -> int:
    """Bytes that NumPy holds at most while a stack is stained."""
    array = zarr.create_array(path, shape=shape, chunks=(*[1] * (len(shape) - 2), 96, 96), dtype=np.uint16)
    for plane in np.ndindex(*shape[:-2]):
        array[plane] = plane_of((shape[-2], shape[-1])).astype(np.uint16)
    tracemalloc.start()
    for _ in stain_file(path, path.with_name("out.zarr"), tiny_model, replace(EXACT, tile=96), overwrite=True):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_grows_neither_with_the_size_of_a_plane_nor_with_the_number_of_planes(
    tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (scaling, part_scaling):  # else all pixels of planes as small as these are samples
        monkeypatch.setattr(module, "SAMPLE", 48)
        monkeypatch.setattr(module, "ROUGH_SAMPLE", 48)
    peak_of(tiny_model, tmp_path / "warm.zarr", (120, 120))  # what is imported and cached at the first use
    small = peak_of(tiny_model, tmp_path / "small.zarr", (288, 288))
    large = peak_of(tiny_model, tmp_path / "large.zarr", (576, 576))
    many = peak_of(tiny_model, tmp_path / "many.zarr", (4, 288, 288))
    # As a whole, the large plane would be held in two copies of float32 at least: 2.7 MB.
    assert large < small + 576 * 576 * 4
    assert many < small + 288 * 288 * 4


def test_page_larger_than_memory_is_read_by_its_tiles(
    tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_tiff, "LARGE", 96**2)
    image = plane_of((300, 270)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(32, 32), compression="zlib")
    stack = read_stack(tmp_path / "in.tif")
    assert stack.data._source.chunks == (32, 32)
    list(stain_file(tmp_path / "in.tif", tmp_path / "out.tif", tiny_model, EXACT))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), stain(image, tiny_model, EXACT), atol=1e-4)
