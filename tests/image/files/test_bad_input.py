"""Bad files: each gives one sentence of our own, never another exception, and no log message beside it."""

from __future__ import annotations

import contextlib
import errno
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_mitostain.errors import FileError, ImageError, MitostainError
from napari_mitostain.image.files import Provenance, open_writer, read_stack
from napari_mitostain.image.files.failures import reading, writing

ARRAY = np.random.default_rng(0).integers(0, 60000, (5, 40, 50)).astype(np.uint16)


def refusal(path: Path, kind: type[MitostainError] = FileError) -> str:
    """Read all planes; return the sentence of the error that must come."""
    with pytest.raises(kind) as caught:
        read_all(path)
    sentence = str(caught.value)
    assert sentence.startswith("Expected ")
    assert ", got " in sentence
    assert "; " in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def read_all(path: Path) -> np.ndarray:
    stack = read_stack(path)
    return np.stack([stack.read(index) for channel in range(stack.channel_count) for index in stack.planes(channel)])


def write_tiff(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, **({"photometric": "minisblack"} | options))
    return path


@pytest.mark.parametrize("name", ["absent.tif", "absent.zarr", "absent.png", "absent"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    assert "does not exist" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["folder", "folder.tif", "folder.png"])
def test_folder_where_a_file_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "got the folder" in refusal(tmp_path / name)


def test_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    assert ".tif, .tiff, .zarr, .png" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("content", [b"", b"once upon a time there was a cell", b"II*\0", b"\x89PNG\r\n\x1a\n"])
def test_no_image_inside(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refusal(tmp_path / name)


LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": None},
    "shaped": {},
    "zlib": {"compression": "zlib", "rowsperstrip": 8},
    "lzw": {"compression": "lzw", "metadata": None},
    "tiled": {"tile": (16, 16), "compression": "zlib"},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.1}},
    "bigtiff": {"bigtiff": True, "ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.1}},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def whole_tiff(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_tiff(tmp_path_factory.mktemp("whole") / "a.tif", ARRAY, **LAYOUTS[request.param])
    np.testing.assert_array_equal(read_all(path), ARRAY)
    return path


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_truncated_tiff_is_refused_unless_nothing_of_the_image_is_missing(
    tmp_path: Path, whole_tiff: Path, caplog: pytest.LogCaptureFixture, fraction: float
) -> None:
    content = whole_tiff.read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: int(len(content) * fraction)])
    with caplog.at_level(logging.DEBUG, "tifffile"):
        try:
            stack = read_stack(tmp_path / "cut.tif")
        except FileError:
            refusal(tmp_path / "cut.tif")
        else:  # what is cut off is the value of a tag that says nothing about the image, such as Software
            assert (stack.axes, stack.scale) == ("ZYX", read_stack(whole_tiff).scale)
            np.testing.assert_array_equal(read_all(tmp_path / "cut.tif"), ARRAY)
    assert not [record for record in caplog.records if record.name == "tifffile"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_tiff_raises_nothing_but_our_own_errors(tmp_path: Path, whole_tiff: Path, data: st.DataObject) -> None:
    damaged = bytearray(whole_tiff.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, min(600, len(damaged) - 1)))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.tif").write_bytes(damaged)
    with contextlib.suppress(MitostainError):
        stack = read_stack(tmp_path / "damaged.tif")
        if np.prod(stack.shape, dtype=float) < 10 * ARRAY.size:  # a header may now claim a plane of gigabytes
            stack.read(stack.planes()[-1])


def test_file_cut_after_it_was_opened(tmp_path: Path) -> None:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ARRAY))
    with (tmp_path / "a.tif").open("r+b") as file:
        file.truncate(ARRAY.nbytes // 2)
    with pytest.raises(FileError, match="Expected a readable image"):
        stack.read((4,))


def test_file_removed_after_it_was_opened(tmp_path: Path) -> None:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ARRAY))
    (tmp_path / "a.tif").unlink()
    with pytest.raises(FileError, match="No such file"):
        stack.read((0,))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_truncated_png(tmp_path: Path, keep: float) -> None:
    Image.fromarray(ARRAY[0]).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FileError, match=r"a\.png"):
        read_stack(tmp_path / "a.png")


@pytest.mark.parametrize("opener", ["tifffile.TiffFile.__init__", "PIL.Image.open", "zarr.api.asynchronous.open"])
def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: str) -> None:
    name = {"t": "a.tif", "P": "a.png", "z": "a.zarr"}[opener[0]]
    write_tiff(tmp_path / "a.tif", ARRAY)
    Image.fromarray(ARRAY[0]).save(tmp_path / "a.png")
    zarr.create_array(tmp_path / "a.zarr", data=ARRAY)

    def refuse(*_: object, **__: object) -> None:  # chmod would not stop root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opener, refuse)
    assert "Permission denied" in refusal(tmp_path / name)


def test_advice_fits_what_the_operating_system_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="get the right to read it"), reading(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    for code, advice in (
        (errno.EACCES, "may write to"),
        (errno.EEXIST, "not inside a file"),
        (errno.ENOTDIR, "not inside a file"),
        (errno.ENOSPC, "make room"),
        (errno.ENAMETOOLONG, "another name"),
    ):
        with pytest.raises(FileError, match=advice), writing(tmp_path):
            raise OSError(code, "No")


@pytest.mark.parametrize("options", [{"photometric": "rgb"}, {"photometric": "rgb", "planarconfig": "separate"}])
def test_rgb_tiff(tmp_path: Path, options: dict[str, str]) -> None:
    shape = (3, 40, 50) if "planarconfig" in options else (40, 50, 3)
    assert "RGB" in refusal(write_tiff(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options), ImageError)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_colour_png(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (9, 8)).save(tmp_path / "a.png")
    assert "RGB" in refusal(tmp_path / "a.png", ImageError)


def test_five_nameless_axes(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.zeros((2, 3, 4, 5, 6), np.uint8))
    assert "name the axes" in refusal(path, ImageError)


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_types_without_intensity_in_tiff(tmp_path: Path, dtype: str) -> None:
    assert dtype in refusal(write_tiff(tmp_path / "a.tif", np.zeros((8, 9), dtype)), ImageError)


@pytest.mark.parametrize("dtype", ["bool", "complex64", "U4"])
def test_types_without_intensity_in_zarr(tmp_path: Path, dtype: str) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(8, 9), dtype=dtype, zarr_format=2)
    refusal(tmp_path / "a.zarr", ImageError)


def test_one_bit_png(tmp_path: Path) -> None:
    Image.new("1", (9, 8)).save(tmp_path / "a.png")
    assert "bool" in refusal(tmp_path / "a.png", ImageError)


def test_zero_size(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(0, 9), chunks=(1, 9), dtype="uint8")
    assert "at least one pixel" in refusal(tmp_path / "a.zarr", ImageError)


# ---------------------------------------------------------------- zarr


@pytest.fixture
def image_zarr(tmp_path: Path, provenance: Provenance) -> Path:
    stack = read_stack(write_tiff(tmp_path / "a.tif", ARRAY))
    with open_writer(tmp_path / "a.zarr", stack, provenance) as writer:
        for index in stack.planes():
            writer.write(index, stack.read(index))
    return tmp_path / "a.zarr"


@pytest.mark.parametrize("missing", ["zarr.json", "0/zarr.json"])
def test_zarr_without_its_metadata(image_zarr: Path, missing: str) -> None:
    (image_zarr / missing).unlink()
    assert "a.zarr" in refusal(image_zarr)


@pytest.mark.parametrize("broken", ["zarr.json", "0/zarr.json"])
@pytest.mark.parametrize(
    "content", ["", "{", "{}", '{"zarr_format": 3, "node_type": "group", "attributes": {"ome": {}}}']
)
def test_zarr_with_broken_metadata(image_zarr: Path, broken: str, content: str) -> None:
    (image_zarr / broken).write_text(content)
    refusal(image_zarr)


@pytest.mark.parametrize(
    "ome",
    [
        {"multiscales": []},
        {"multiscales": [{}]},
        {"multiscales": [{"datasets": [{"path": "7"}]}]},
        {"multiscales": 1},
        5,
    ],
)
def test_zarr_with_senseless_multiscales(image_zarr: Path, ome: Any) -> None:
    zarr.open_group(image_zarr).attrs["ome"] = ome
    refusal(image_zarr)


def test_what_zarr_lacks_is_said(image_zarr: Path) -> None:
    zarr.open_group(image_zarr).attrs["ome"] = {"multiscales": [{}]}
    with pytest.raises(FileError, match=r"a\.zarr \(it lacks 'datasets'\)"):
        read_stack(image_zarr)


def test_zarr_with_a_corrupt_chunk(image_zarr: Path) -> None:
    (image_zarr / "0" / "c" / "2" / "0" / "0").write_bytes(b"not a chunk")
    stack = read_stack(image_zarr)
    np.testing.assert_array_equal(stack.read((1,)), ARRAY[1])
    with pytest.raises(FileError, match=r"a\.zarr"):
        stack.read((2,))


def test_zarr_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").write_bytes(b"PK")
    assert "Expected a zarr folder" in refusal(tmp_path / "a.zarr")
