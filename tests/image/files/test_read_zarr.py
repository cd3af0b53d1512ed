"""OME-Zarr and plain zarr arrays in: pixels, axes, scale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_mitostain.errors import ImageError
from napari_mitostain.image import Stack
from napari_mitostain.image.files import read_stack

DTYPES = ["uint8", "uint16", "int16", "float32", "float64"]


def whole(stack: Stack) -> np.ndarray:
    return np.asarray(stack.data)


def write_zarr(path: Path, array: np.ndarray, axes: list[Any], version: str, scale: list[float]) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    transformation = [{"type": "scale", "scale": scale}]
    multiscale = {"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": transformation}]}
    if version == "0.4":
        group.attrs["multiscales"] = [multiscale | {"version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    group.create_array("s0", data=array)
    return path


def space(name: str, unit: str | None) -> dict[str, str]:
    return {"name": name, "type": "space"} | ({"unit": unit} if unit else {})


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ome_zarr_versions(tmp_path: Path, ramp: np.ndarray, version: str, dtype: str) -> None:
    axes = [space("z", "nanometer"), space("y", "micrometer"), space("x", "micrometer")]
    path = write_zarr(tmp_path / "a.zarr", ramp.astype(dtype), axes, version, [500.0, 0.1, 0.1])
    stack = read_stack(path)
    assert (stack.axes, stack.scale) == ("ZYX", {"Z": 0.5, "Y": 0.1, "X": 0.1})
    np.testing.assert_array_equal(stack.read((2,)), ramp[2].astype(dtype))


def test_ome_zarr_time_channels_and_group_scale(tmp_path: Path) -> None:
    axes = [
        {"name": "t", "type": "time", "unit": "minute"},
        {"name": "ch", "type": "channel"},
        space("y", None),
        space("x", None),
    ]
    path = write_zarr(tmp_path / "a.zarr", np.zeros((2, 2, 8, 9), np.uint8), axes, "0.5", [1.0, 1.0, 0.2, 0.2])
    group = zarr.open_group(path)
    ome: Any = group.attrs["ome"]
    ome["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [3.0, 1.0, 1.0, 1.0]}]
    group.attrs["ome"] = ome | {"omero": {"channels": [{"label": "BF"}, {"label": "GFP"}]}}
    stack = read_stack(path)
    assert (stack.axes, stack.channels) == ("TCYX", ("BF", "GFP"))
    assert stack.scale == pytest.approx({"T": 180.0, "Y": 0.2, "X": 0.2})


def test_ome_zarr_unit_less_scale_of_one_is_unknown(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "a.zarr", np.zeros((8, 9)), [space("y", None), space("x", None)], "0.4", [1.0, 1.0])
    assert read_stack(path).scale == {}


def test_ome_zarr_unknown_axis_of_length_one_is_dropped(tmp_path: Path, ramp: np.ndarray) -> None:
    axes = [{"name": "angle"}, space("z", None), space("y", None), space("x", None)]
    stack = read_stack(write_zarr(tmp_path / "a.zarr", ramp[None], axes, "0.4", [1.0, 1.0, 1.0, 1.0]))
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(stack.read((1,)), ramp[1])


def test_bioformats_group_gives_its_first_image(tmp_path: Path, ramp: np.ndarray) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    axes = [space("z", None), space("y", None), space("x", None)]
    write_zarr(tmp_path / "a.zarr" / "0", ramp, axes, "0.4", [1.0, 1.0, 1.0])
    assert read_stack(tmp_path / "a.zarr").others == 0
    write_zarr(tmp_path / "a.zarr" / "1", ramp[:2], axes, "0.4", [1.0, 1.0, 1.0])
    stack = read_stack(tmp_path / "a.zarr")
    assert stack.others == 1
    np.testing.assert_array_equal(whole(stack), ramp)


@pytest.mark.parametrize("form", [2, 3])
def test_plain_zarr_array(tmp_path: Path, ramp: np.ndarray, form: Any) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=ramp, zarr_format=form)
    stack = read_stack(tmp_path / "a.zarr")
    assert stack.axes == "ZYX"
    np.testing.assert_array_equal(stack.read((1,)), ramp[1])


def test_plain_zarr_array_with_named_dimensions(tmp_path: Path, ramp: np.ndarray) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=ramp, zarr_format=3, dimension_names=["t", "y", "x"])
    assert read_stack(tmp_path / "a.zarr").axes == "TYX"


def test_dimensions_named_by_words(tmp_path: Path) -> None:
    array = np.zeros((2, 3, 8, 9), np.uint8)
    zarr.create_array(tmp_path / "a.zarr", data=array, zarr_format=3, dimension_names=["channel", "Time", "y", "x"])
    assert read_stack(tmp_path / "a.zarr").axes == "CTYX"


def test_plain_array_of_colours_is_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((64, 80, 3), np.uint8))
    with pytest.raises(ImageError, match=r"grayscale image in a\.zarr, got an array of 64×80×3"):
        read_stack(tmp_path / "a.zarr")


@pytest.mark.parametrize("omero", [None, {"channels": None}])
def test_optional_fields_may_be_null(tmp_path: Path, ramp: np.ndarray, omero: Any) -> None:
    path = write_zarr(tmp_path / "a.zarr", ramp, ["z", "y", "x"], "0.4", [1.0, 0.1, 0.1])
    group = zarr.open_group(path)
    group.attrs["omero"] = omero
    group.attrs["multiscales"] = [group.attrs["multiscales"][0] | {"coordinateTransformations": None}]  # type: ignore[index]
    assert read_stack(path).axes == "ZYX"


def test_missing_chunk_reads_as_fill_value(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 8, 9), chunks=(1, 8, 9), dtype="uint8", fill_value=7)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.zarr").read((1,)), np.full((8, 9), 7))


def test_copied_zarr_is_still_an_image(tmp_path: Path, ramp: np.ndarray) -> None:
    axes = [space("z", None), space("y", None), space("x", None)]
    shutil.copytree(write_zarr(tmp_path / "a.zarr", ramp, axes, "0.5", [1.0, 1.0, 1.0]), tmp_path / "renamed")
    assert json.loads((tmp_path / "renamed" / "zarr.json").read_text())["node_type"] == "group"
    np.testing.assert_array_equal(whole(read_stack(tmp_path / "renamed")), ramp)
