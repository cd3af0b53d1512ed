"""Stains out: round trips, metadata, memory, and nothing half written."""

from __future__ import annotations

import json
import re
import sys
import tracemalloc
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05 import Image as ImageV05
from PIL import Image

from napari_mitostain.image import Stack
from napari_mitostain.image.files import Provenance, open_writer, read_stack
from napari_mitostain.image.files.write_tiff import file_size, needs_bigtiff
from napari_mitostain.prefetching import concurrently

STACK_NAMES = ["a.tif", "a.tiff", "a.ome.tif", "a.zarr", "a.ome.zarr"]
SCALE = {"T": 2.5, "Z": 0.5, "Y": 0.108, "X": 0.109}


def stack_of(shape: tuple[int, ...], axes: str) -> Stack:
    return Stack(np.zeros(shape, np.uint8), axes, {axis: SCALE[axis] for axis in axes if axis in SCALE})


def save(path: Path, like: Stack, provenance: Provenance, stain: np.ndarray, **options: Any) -> Path:
    """Write a stain given in the axes of `like`, the last plane first."""
    model = Stack(stain, like.axes)
    with open_writer(path, like, provenance, **options) as writer:
        for index in reversed(model.planes()):
            writer.write(index, model.read(index))
    return path


def random_stain(like: Stack) -> np.ndarray:
    return np.random.default_rng(0).random(like.stained_shape()).astype(np.float32)


def in_order(array: np.ndarray, axes: str, order: str) -> np.ndarray:
    return array.transpose([axes.index(axis) for axis in order])


axes_with_yx = st.sets(st.sampled_from("TCZ")).flatmap(lambda others: st.permutations([*sorted(others), "Y", "X"]))


@pytest.mark.parametrize("name", ["a.ome.tif", "a.zarr"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(axes=axes_with_yx.map("".join), data=st.data())
def test_round_trip_of_any_axes(
    tmp_path: Path, provenance: Provenance, name: str, axes: str, data: st.DataObject
) -> None:
    like = stack_of(tuple(data.draw(st.integers(2, 4)) for _ in axes), axes)
    stain = random_stain(like)
    back = read_stack(save(tmp_path / name, like, provenance, stain, overwrite=True))
    if name == "a.zarr":
        order = "".join(axis for axis in "TCZYX" if axis in axes)
    else:  # OME-TIFF has Y and X last, and its readers leave out the single channel
        order = "".join(axis for axis in axes if axis in "TZ") + "YX"
        stain = stain.reshape([n for axis, n in zip(axes, stain.shape, strict=True) if axis != "C"])
        axes = axes.replace("C", "")
    assert back.axes == order
    assert back.scale == pytest.approx({axis: SCALE[axis] for axis in order if axis in SCALE})
    assert back.channels == (provenance.channel_name,)
    np.testing.assert_array_equal(np.asarray(back.data), in_order(stain, axes, order))
    assert back.data.dtype == np.float32


@pytest.mark.parametrize("name", STACK_NAMES)
@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (33, 65)])
def test_single_planes_of_odd_sizes(tmp_path: Path, provenance: Provenance, name: str, shape: tuple[int, int]) -> None:
    like = stack_of(shape, "YX")
    stain = random_stain(like)
    back = read_stack(save(tmp_path / name, like, provenance, stain))
    assert back.axes == "YX"
    np.testing.assert_array_equal(back.read(()), stain)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.png"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "<f4", ">f4"])
def test_what_is_said_to_be_stored_is_what_is_read_back(
    tmp_path: Path, provenance: Provenance, name: str, dtype: str
) -> None:
    values = np.random.default_rng(0).normal(0.5, 0.5, (9, 14)).astype(dtype)
    values[2, 3] = np.nan
    box = slice(3, 9), slice(2, 12)
    with open_writer(tmp_path / name, stack_of((9, 14), "YX"), provenance) as writer:
        whole = writer.write_box((), (slice(0, 9), slice(0, 14)), values)
        np.testing.assert_array_equal(whole, writer.read_box((), (slice(0, 9), slice(0, 14))), strict=True)
        part = writer.write_box((), box, values[:6, 4:])
        np.testing.assert_array_equal(part, writer.read_box((), box), strict=True)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_threads_may_write_and_read_planes_at_the_same_time(tmp_path: Path, provenance: Provenance, name: str) -> None:
    planes = np.random.default_rng(0).random((40, 70, 50)).astype(np.float32)
    box = slice(0, 70), slice(0, 50)

    def written(z: int) -> np.ndarray:
        writer.write_box((z,), box, planes[z])
        return writer.read_box((z,), box)

    with open_writer(tmp_path / name, stack_of(planes.shape, "ZYX"), provenance) as writer:
        found = list(concurrently(written, range(40), 8))
    np.testing.assert_array_equal(found, planes)
    back = read_stack(tmp_path / name)
    np.testing.assert_array_equal([back.read((z,)) for z in range(40)], planes)


@pytest.mark.parametrize("name", STACK_NAMES)
def test_unknown_scale_stays_unknown(tmp_path: Path, provenance: Provenance, name: str) -> None:
    like = Stack(np.zeros((2, 3, 4)), "TYX")
    assert read_stack(save(tmp_path / name, like, provenance, random_stain(like))).scale == {}


def test_ome_tiff_metadata(tmp_path: Path, provenance: Provenance) -> None:
    like = stack_of((2, 3, 4, 8, 9), "TCZYX")
    path = save(tmp_path / "a.ome.tif", like, provenance, random_stain(like))
    with tifffile.TiffFile(path) as tif:
        assert tif.pages.first.software == provenance.software
        root = ElementTree.fromstring(tif.ome_metadata)
    pixels, description = root.find("{*}Image/{*}Pixels"), root.findtext("{*}Image/{*}Description")
    expected = {"PhysicalSizeX": "0.109", "PhysicalSizeXUnit": "µm", "PhysicalSizeZ": "0.5", "TimeIncrement": "2.5"}
    assert expected.items() <= dict(pixels.items()).items()
    assert [pixels.get(f"Size{axis}") for axis in "TCZYX"] == ["2", "1", "4", "8", "9"]
    sentence, details = description.split("\n")
    assert sentence == f"{provenance.channel_name}. {provenance.description}"
    assert json.loads(details) == provenance.details


@pytest.mark.parametrize(("axes", "shape"), [("TCZYX", (2, 3, 4, 8, 9)), ("YX", (8, 9))])
def test_ome_zarr_is_valid(tmp_path: Path, provenance: Provenance, axes: str, shape: tuple[int, ...]) -> None:
    like = stack_of(shape, axes)
    path = save(tmp_path / "a.zarr", like, provenance, random_stain(like))
    ImageV05.from_zarr(zarr.open_group(path, mode="r"))
    nodes = list(Reader(parse_url(path))())
    assert nodes[0].data[0].shape == like.stained_shape()
    record = zarr.open_group(path, mode="r").attrs["napari_mitostain"]
    assert record["details"] == provenance.details
    assert "digitally predicted" in record["channel_name"]


@pytest.mark.parametrize(("axes", "shape"), [("YX", (7, 9)), ("TZYX", (2, 3, 1100, 5))])
def test_zarr_is_described_as_zarr_does(
    tmp_path: Path, provenance: Provenance, axes: str, shape: tuple[int, ...]
) -> None:
    with open_writer(tmp_path / "a.zarr", Stack(np.zeros(shape), axes), provenance):
        pass
    ours = zarr.open_group(tmp_path / "a.zarr", mode="r")
    array = ours["0"]
    assert isinstance(array, zarr.Array)
    group = zarr.create_group(tmp_path / "b.zarr", attributes=ours.attrs.asdict())
    options: Any = {"compressors": array.compressors, "dimension_names": list(axes.lower())}
    group.create_array("0", shape=shape, dtype="float32", chunks=array.chunks, fill_value=0, **options)
    for name in ("zarr.json", "0/zarr.json"):
        assert (tmp_path / "a.zarr" / name).read_text() == (tmp_path / "b.zarr" / name).read_text()


def test_zarr_chunks_are_parts_of_planes(tmp_path: Path, provenance: Provenance) -> None:
    with open_writer(tmp_path / "a.zarr", stack_of((2, 3, 1500, 9), "TZYX"), provenance):
        pass
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["0"].chunks == (1, 1, 1024, 9)


def test_rounded_stains_take_less_than_half_of_their_room_in_zarr(tmp_path: Path, provenance: Provenance) -> None:
    like = stack_of((512, 512), "YX")
    stain = np.round(random_stain(like) * 2**12) / np.float32(2**12)
    path = save(tmp_path / "a.zarr", like, provenance, stain)
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) < stain.nbytes / 2


def test_png_is_16_bit_with_provenance_and_scale(tmp_path: Path, provenance: Provenance) -> None:
    like = Stack(np.zeros((1, 1, 5), np.uint8), "ZYX", {"Y": 0.108, "X": 0.108})
    with open_writer(tmp_path / "a.png", like, provenance) as writer:
        writer.write((0,), np.array([[0, 0.5, 1, 1.5, np.nan]]))
    stack = read_stack(tmp_path / "a.png")
    np.testing.assert_array_equal(stack.read(()), np.array([[0, 32768, 65535, 65535, 0]], np.uint16))
    assert stack.scale == pytest.approx({"Y": 0.108, "X": 0.108}, rel=1e-5)
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Software"] == provenance.software
        assert json.loads(image.text["Description"].split("\n")[1]) == provenance.details
        assert "digitally predicted" in image.text["Description"]


@pytest.mark.parametrize("name", ["a.ome.tif", "a.zarr"])
def test_details_that_json_does_not_know_are_recorded_as_text(tmp_path: Path, name: str) -> None:
    odd = Provenance("s", "c", "d", {"source": tmp_path, "size": np.float32(0.5)})
    like = stack_of((3, 4), "YX")
    read_stack(save(tmp_path / name, like, odd, random_stain(like))).read(())
    assert json.loads(odd.to_json()) == {"source": str(tmp_path), "size": "0.5"}


@pytest.mark.parametrize("name", ["a.ome.tif", "a.zarr"])
def test_memory_stays_at_a_few_planes(tmp_path: Path, provenance: Provenance, name: str) -> None:
    like = Stack(np.broadcast_to(np.uint8(0), (40, 512, 512)), "ZYX")
    plane = np.random.default_rng(0).random((512, 512), np.float32)
    tracemalloc.start()
    try:
        with open_writer(tmp_path / name, like, provenance) as writer:
            for z in range(40):
                writer.write((z,), plane)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * plane.nbytes  # of 40


@pytest.mark.parametrize(
    ("shape", "big"), [((1023, 1024, 1024), False), ((1024, 1024, 1024), True), ((40_000_000, 1, 1), True)]
)
def test_bigtiff_beyond_4_gib(shape: tuple[int, ...], big: bool) -> None:
    assert needs_bigtiff(shape) is big


@pytest.mark.parametrize("shape", [(1, 1), (300, 2, 2), (3, 4, 5, 6)])
def test_file_size_is_a_bound(tmp_path: Path, provenance: Provenance, shape: tuple[int, ...]) -> None:
    like = stack_of(shape, "TZYX"[-len(shape) :])
    path = save(tmp_path / "a.tif", like, provenance, random_stain(like))
    assert path.stat().st_size <= file_size(shape)


def test_bigtiff_is_written_and_read(tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_mitostain.image.files.write_tiff._CLASSIC_LIMIT", 1)
    like = stack_of((3, 8, 9), "ZYX")
    stain = random_stain(like)
    path = save(tmp_path / "a.ome.tif", like, provenance, stain)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
    np.testing.assert_array_equal(np.asarray(read_stack(path).data), stain)


UNUSUAL = ["a\x01", "ümlaut µ 細胞"] + ([] if sys.platform == "darwin" else ["a\udcff"])  # macOS has no such names
"""Stems of file names; the last is one byte, 0xff, that is no UTF-8."""


@pytest.mark.parametrize("stem", UNUSUAL, ids=ascii)
@pytest.mark.parametrize("suffix", [".ome.tif", ".zarr", ".png"])
def test_any_file_name_gives_metadata_that_can_be_read(tmp_path: Path, stem: str, suffix: str) -> None:
    path = tmp_path / f"{stem}{suffix}"
    told = Provenance("software", stem, f"A stain of {stem}.", {"source": path.name})
    with open_writer(path, Stack(np.zeros((8, 9)), "YX"), told) as writer:
        writer.write((), np.full((8, 9), 0.5))
    assert read_stack(path).plane_shape == (8, 9)
    expected = re.sub("[\x01\udcff]", "\ufffd", stem)
    if suffix == ".ome.tif":
        with tifffile.TiffFile(path) as tif:
            (image,) = (e for e in ElementTree.fromstring(tif.ome_metadata or "") if e.tag.endswith("}Image"))
        assert image.get("Name") == f"{expected}{suffix}"
    elif suffix == ".zarr":
        attributes = zarr.open_group(path, mode="r").attrs
        assert attributes["ome"]["multiscales"][0]["name"] == expected  # type: ignore[index, call-overload]
    else:
        with Image.open(path) as picture:
            assert picture.text["Title"] == expected  # type: ignore[attr-defined]
