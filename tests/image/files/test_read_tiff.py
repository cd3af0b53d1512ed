"""OME-TIFF, ImageJ and plain TIFF in: pixels, axes, scale, laziness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.errors import FileError
from napari_mitostain.image import Stack, notices_of_first
from napari_mitostain.image.files import further_parts, list_images, read_stack

MultiFile = Callable[[Path, np.ndarray], list[Path]]

DTYPES = ["uint8", "uint16", "int16", "float32", "float64"]


def whole(stack: Stack) -> np.ndarray:
    return np.asarray(stack.data)


def write_tiff(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib", "rowsperstrip": 7}, {"tile": (16, 16)}, {"byteorder": ">"}]
)
def test_tiff_layouts_and_types(tmp_path: Path, ramp: np.ndarray, dtype: str, options: dict[str, Any]) -> None:
    array = (ramp % 251).astype(dtype)
    stack = read_stack(write_tiff(tmp_path / "a.tif", array, metadata={"axes": "ZYX"}, **options))
    assert (stack.axes, stack.name, stack.data.dtype) == ("ZYX", "a.tif", dtype)
    np.testing.assert_array_equal(stack.read((2,)), array[2])
    np.testing.assert_array_equal(whole(stack), array)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TCZYX", "ZCTYX", "CZYX"])
def test_ome_tiff_keeps_axes_in_their_order(tmp_path: Path, axes: str) -> None:
    array = np.random.default_rng(0).random(tuple(range(2, 2 + len(axes)))).astype(np.float32)
    stack = read_stack(write_tiff(tmp_path / "a.ome.tif", array, metadata={"axes": axes}))
    assert stack.axes == axes
    np.testing.assert_array_equal(whole(stack), array)


@pytest.mark.parametrize("axes", ["XYZ", "CYXT", "YXZ"])
def test_tiff_with_planes_across_pages(tmp_path: Path, axes: str) -> None:
    array = np.arange(np.prod(range(2, 2 + len(axes)))).reshape(tuple(range(2, 2 + len(axes)))).astype(np.uint16)
    stack = read_stack(write_tiff(tmp_path / "a.tif", array, metadata={"axes": axes}))
    expected = Stack(array, axes)
    assert stack.axes == axes
    for index in expected.planes():
        np.testing.assert_array_equal(stack.read(index), expected.read(index))


def test_ome_tiff_scale_and_channels(tmp_path: Path) -> None:
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeX": 100.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.1,
        "PhysicalSizeZ": 0.0005,
        "PhysicalSizeZUnit": "mm",
        "TimeIncrement": 2.0,
        "TimeIncrementUnit": "min",
        "Channel": {"Name": ["BF", "GFP"]},
    }
    stack = read_stack(write_tiff(tmp_path / "a.ome.tif", np.zeros((2, 2, 3, 8, 9), np.uint8), metadata=metadata))
    assert stack.scale == pytest.approx({"T": 120.0, "Z": 0.5, "Y": 0.1, "X": 0.1})
    assert stack.channels == ("BF", "GFP")


def test_ome_tiff_without_scale_has_none(tmp_path: Path) -> None:
    assert read_stack(write_tiff(tmp_path / "a.ome.tif", np.zeros((3, 8, 9), np.uint8))).scale == {}


def test_first_series_and_full_resolution(tmp_path: Path, ramp: np.ndarray) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tif:
        tif.write(ramp, metadata={"axes": "ZYX"}, subifds=1)
        tif.write(ramp[:, ::2, ::2], subfiletype=1)
        tif.write(np.zeros((5, 5), np.uint8), metadata={"axes": "YX"})
    np.testing.assert_array_equal(whole(read_stack(tmp_path / "a.ome.tif")), ramp)


def test_multi_file_ome_tiff_reads_repeatedly(tmp_path: Path, ramp: np.ndarray, multi_file_ome: MultiFile) -> None:
    stack = read_stack(multi_file_ome(tmp_path, ramp)[0])
    for z in (2, 0, 1, 2):
        np.testing.assert_array_equal(stack.read((z,)), ramp[z])
    assert stack.scale == {"Y": 0.2, "X": 0.2}


def test_further_files_of_an_image_are_known(tmp_path: Path, ramp: np.ndarray, multi_file_ome: MultiFile) -> None:
    names = multi_file_ome(tmp_path, ramp)
    assert read_stack(names[1]).files == tuple(names)
    alone = [tmp_path / name for name in ("alone.ome.tif", "alone_1.ome.tif", "other_1.ome.tif")]
    for path in alone:
        tifffile.imwrite(path, ramp, ome=True)
    assert read_stack(alone[0]).files == ()
    assert further_parts(list_images(tmp_path)) == {names[1]: names[0], names[2]: names[0]}


def test_multi_file_ome_tiff_with_a_part_missing(tmp_path: Path, ramp: np.ndarray, multi_file_ome: MultiFile) -> None:
    names = multi_file_ome(tmp_path, ramp)
    names[1].unlink()
    with pytest.raises(FileError, match="Expected all planes"):
        read_stack(names[0])


@pytest.mark.parametrize(
    ("unit", "pixels", "size"),
    [
        ("micron", 10, 0.1),
        ("\\u00B5m", 10, 0.1),
        ("um", 5, 0.2),
        ("µm", 5, 0.2),
        ("nm", 0.01, 0.1),
        ("mm", 10000, 0.1),
        ("inch", 254000, 0.1),
        ("inch", 72, None),
        ("pixel", 1, None),
        ("furlong", 1, None),
    ],
)
def test_imagej_units(tmp_path: Path, unit: str, pixels: float, size: float | None) -> None:
    path = tmp_path / "a.tif"
    metadata = {"axes": "ZYX", "unit": "?", "spacing": 2 / pixels}
    write_tiff(path, np.zeros((3, 8, 9), np.uint8), imagej=True, resolution=(pixels, pixels), metadata=metadata)
    described = tifffile.tiffcomment(path).encode().replace(b"unit=?", b"unit=" + unit.encode())
    tifffile.tiffcomment(path, described)
    expected = {} if size is None else {"Z": 2 * size, "Y": size, "X": size}
    assert read_stack(path).scale == pytest.approx(expected)


def test_imagej_hyperstack(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 2 * 8 * 9, dtype=np.uint16).reshape(2, 3, 2, 8, 9)
    metadata = {"axes": "TZCYX", "finterval": 2.5, "spacing": 0.5, "unit": "um"}
    stack = read_stack(write_tiff(tmp_path / "a.tif", array, imagej=True, resolution=(10, 10), metadata=metadata))
    assert stack.axes == "TZCYX"
    assert stack.scale == pytest.approx({"T": 2.5, "Z": 0.5, "Y": 0.1, "X": 0.1})
    np.testing.assert_array_equal(whole(stack), array)


@pytest.mark.parametrize(
    ("resolution", "unit", "size"),
    [(100000, "centimeter", 0.1), (254000, "inch", 0.1), (300, "inch", None), (72, "inch", None), (1, "none", None)],
)
def test_plain_tiff_resolution(tmp_path: Path, resolution: float, unit: str, size: float | None) -> None:
    options = {"resolution": (resolution, resolution), "resolutionunit": unit, "metadata": None}
    stack = read_stack(write_tiff(tmp_path / "a.tif", np.zeros((8, 9), np.uint8), **options))
    assert stack.scale == pytest.approx({} if size is None else {"Y": size, "X": size})


@pytest.mark.parametrize("metadata", [None, {}])
def test_nameless_pages_are_depth(tmp_path: Path, ramp: np.ndarray, metadata: dict[str, str] | None) -> None:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ramp, metadata=metadata))
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(stack.read((1,)), ramp[1])


@pytest.mark.parametrize(("shape", "axes"), [((1, 3, 20, 30), "ZYX"), ((1, 1, 20, 30), "YX"), ((2, 3, 20, 30), "TZYX")])
def test_nameless_axes_of_length_one_are_dropped(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    stack = read_stack(write_tiff(tmp_path / "a.tif", array))
    assert stack.axes == axes
    np.testing.assert_array_equal(whole(stack), array.squeeze())
    last = stack.planes()[-1]
    np.testing.assert_array_equal(stack.read(last), array[-1, -1])


def test_tiff_loads_a_plane_at_a_time(tmp_path: Path, ramp: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ramp, metadata={"axes": "ZYX"}, compression="zlib"))
    loaded: list[int] = []
    original = tifffile.TiffPage.asarray

    def asarray(page: Any, *args: Any, **kwargs: Any) -> Any:
        loaded.append(page.index)
        return original(page, *args, **kwargs)

    for kind in (tifffile.TiffPage, tifffile.TiffFrame):
        monkeypatch.setattr(kind, "asarray", asarray)
    stack.read((2,))
    assert loaded == [2]


def test_many_stacks_hold_no_open_file(tmp_path: Path, ramp: np.ndarray) -> None:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ramp, compression="zlib"))
    stack.read((0,))
    descriptors = (
        [entry.resolve() for entry in Path("/proc/self/fd").iterdir()] if Path("/proc/self/fd").exists() else []
    )
    assert (tmp_path / "a.tif").resolve() not in descriptors


def test_planes_written_one_by_one_are_one_stack(tmp_path: Path, ramp: np.ndarray) -> None:
    with tifffile.TiffWriter(tmp_path / "loop.tif") as tif:
        for plane in ramp:
            tif.write(plane, photometric="minisblack")
    stack = read_stack(tmp_path / "loop.tif")
    assert (stack.axes, stack.others) == ("ZYX", 0)
    np.testing.assert_array_equal(whole(stack), ramp)


def test_further_images_of_a_file_are_counted(tmp_path: Path, ramp: np.ndarray) -> None:
    for name, first, options in (
        ("thumbnail.tif", ramp[0, ::2, ::2], {}),
        ("stacks.tif", ramp, {}),
        ("positions.ome.tif", ramp, {"metadata": {"axes": "ZYX"}}),
    ):
        with tifffile.TiffWriter(tmp_path / name) as tif:
            for image in (first, ramp, ramp):
                tif.write(image, photometric="minisblack", **options)
        stack = read_stack(tmp_path / name)
        assert stack.others == 2
        np.testing.assert_array_equal(whole(stack), first)
        (said,) = notices_of_first(stack, None)
        assert said.message.startswith(f"{name} has 3 images, of which the first is taken")
