"""Stains of stacks: any axes, any array, any data type, and planes that hold nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import torch
import zarr

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError, ImageError, ModelError
from napari_mitostain.events import Event, Notice, PlaneDone, TileDone
from napari_mitostain.image import Stack, load_array
from napari_mitostain.model.loading import Model, save_model
from napari_mitostain.staining import stain, stain_stack

SHAPE = {"T": 2, "C": 2, "Z": 3, "Y": 21, "X": 26}
EXACT = StainSettings(precision="float32")


class Spy:
    """An array that notes what is loaded from it, and refuses to be loaded whole."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.loads: list[tuple[Any, ...]] = []

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        self.loads.append(tuple(part for part in key if isinstance(part, int)))
        return self._array[key]

    def __array__(self, *_args: Any, **_options: Any) -> np.ndarray:
        raise AssertionError("the whole stack was loaded")


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    """T, C, Z, Y, X of noise, every plane different."""
    return np.random.default_rng(3).integers(0, 255, tuple(SHAPE.values()), dtype=np.uint8)


def arranged(stack: np.ndarray, axes: str) -> np.ndarray:
    """Bring T, C, Z, Y, X to another order."""
    return stack.transpose(["TCZYX".index(axis) for axis in axes])


def messages(events: Iterator[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize("axes", ["".join(order) for order in permutations("TCZYX")])
def test_every_order_of_axes_gives_the_same_stain(tiny_model: Model, stack: np.ndarray, axes: str) -> None:
    part = stack[:1, :, :2]  # (1, 2, 2, Y, X): every axis is there, and staining 120 orders stays quick
    expected = stain(part[0, 1, 1], tiny_model, EXACT)
    result = stain(arranged(part, axes), tiny_model, EXACT, axes=axes, channel=1)
    assert result.shape == tuple({"T": 1, "C": 1, "Z": 2, "Y": 21, "X": 26}[axis] for axis in axes)
    back = result.transpose([axes.index(axis) for axis in "TCZYX"])
    np.testing.assert_array_equal(back[0, 0, 1], expected)


@pytest.mark.parametrize("axes", ["YX", "XY", "ZYX", "XYZ", "YZX", "CYX", "XCY", "TZYX"])
def test_missing_axes(tiny_model: Model, stack: np.ndarray, axes: str) -> None:
    part = stack[tuple(slice(None) if axis in axes else 0 for axis in "TCZYX")]
    ordered = part.transpose(["".join(a for a in "TCZYX" if a in axes).index(axis) for axis in axes])
    result = stain(ordered, tiny_model, EXACT, axes=axes, channel=0)
    assert result.shape == tuple(1 if axis == "C" else SHAPE[axis] for axis in axes)
    first = result[tuple(slice(None) if axis in "YX" else 0 for axis in axes)]
    expected = stain(stack[0, 0, 0], tiny_model, EXACT)
    np.testing.assert_array_equal(first if axes.index("Y") < axes.index("X") else first.T, expected)


@pytest.mark.parametrize("channel", [0, 1])
def test_the_chosen_channel_is_the_one_stained(tiny_model: Model, stack: np.ndarray, channel: int) -> None:
    result = stain(stack, tiny_model, EXACT, channel=channel)
    assert result.shape == (2, 1, 3, 21, 26)
    for t in range(2):
        for z in range(3):
            np.testing.assert_array_equal(result[t, 0, z], stain(stack[t, channel, z], tiny_model, EXACT))


@pytest.mark.parametrize("channel", [-1, 2])
def test_channel_that_is_not_there(tiny_model: Model, stack: np.ndarray, channel: int) -> None:
    with pytest.raises(ImageError, match=f"channel from 0 to 1 .* got {channel}"):
        stain(stack, tiny_model, channel=channel)


def test_numpy_dask_and_zarr_give_equal_stains(tiny_model: Model, stack: np.ndarray) -> None:
    expected = stain(stack, tiny_model, EXACT, channel=0)
    for array in (dask.array.from_array(stack, chunks=(1, 2, 1, 11, 26)), zarr.array(stack, chunks=(2, 1, 1, 21, 13))):
        np.testing.assert_array_equal(stain(array, tiny_model, EXACT, channel=0), expected)


@pytest.mark.parametrize(
    ("settings", "message"), [(EXACT, "has 2 channels"), (replace(EXACT, resample=True), "Not resampled")]
)
def test_what_the_user_should_know_comes_as_a_warning(
    tiny_model: Model, stack: np.ndarray, settings: StainSettings, message: str
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stain(stack, tiny_model, settings)
    assert sum(message in str(warning.message) for warning in caught) == 1


def test_tensors_are_stained_as_arrays_are(tiny_model: Model, stack: np.ndarray) -> None:
    plane = stack[0, 0, 0].astype(np.float32)
    np.testing.assert_array_equal(stain(torch.from_numpy(plane), tiny_model, EXACT), stain(plane, tiny_model, EXACT))


@pytest.mark.parametrize("shape", [(21, 26), (1, 16, 32), (2, 21, 26)])
def test_stain_is_an_array_of_its_own(tiny_model: Model, shape: tuple[int, ...]) -> None:
    found = stain(np.random.default_rng(0).random(shape), tiny_model, EXACT)
    assert found.flags.owndata
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_resolutions_of_one_image_are_refused(tiny_model: Model, stack: np.ndarray) -> None:
    plane = stack[0, 0, 0]
    with pytest.raises(ImageError, match="got several of different shapes; give one of them"):
        stain([plane, plane[::2, ::2]], tiny_model, EXACT)


def test_planes_are_loaded_one_at_a_time_and_once(
    tiny_model: Model, stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    spy = Spy(stack)
    events = stain_stack(Stack(spy, "TCZYX"), tiny_model, EXACT, channel=1)
    assert spy.loads == []
    done = 0
    for event in events:
        done += isinstance(event, PlaneDone)
        assert len(spy.loads) <= done + 1
    assert spy.loads == [(t, 1, z) for t in range(2) for z in range(3)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_data_type_does_not_change_the_stain(tiny_model: Model, cells: np.ndarray, dtype: type) -> None:
    result = stain(cells.astype(dtype), tiny_model, EXACT)
    assert result.dtype == np.float32
    # The scaled planes differ by rounding of float32 (6e-8 of the range of 255 levels, a few units in the last place);
    # the sigmoid's slope of 1/4 and random weights of order 1 carry that to far less than a level of 8 bits.
    np.testing.assert_allclose(result, stain(cells, tiny_model, EXACT), atol=1e-3)


def test_offset_and_gain_of_the_camera_do_not_change_the_stain(tiny_model: Model, cells: np.ndarray) -> None:
    expected = stain(cells, tiny_model, EXACT)
    for other in (cells.astype(np.uint16) * 200 + 5000, cells.astype(np.float64) * 1e-9 - 4, cells * 1e30 - 7e31):
        np.testing.assert_allclose(stain(other, tiny_model, EXACT), expected, atol=1e-3)  # as above


def test_stain_is_finite_and_in_range_for_the_largest_floats(tiny_model: Model, cells: np.ndarray) -> None:
    huge = (cells / 255 - 0.5) * np.finfo(np.float64).max
    result = stain(huge, tiny_model, EXACT)
    np.testing.assert_allclose(result, stain(cells, tiny_model, EXACT), atol=1e-3)
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_told_and_filled_with_the_median(
    tiny_model: Model, cells: np.ndarray, hole: float
) -> None:
    image, filled = cells.astype(np.float32), cells.astype(np.float32)
    image[5:9, 7] = hole
    filled[5:9, 7] = np.median(image[np.isfinite(image)])
    events = list(stain_stack(load_array(image, name="holes"), tiny_model, EXACT))
    assert len(messages(iter(events))) == 1
    assert "not finite" in messages(iter(events))[0]
    assert messages(iter(events))[0].startswith("holes has pixels")  # it has but one plane
    np.testing.assert_array_equal(events[-1].values, stain(filled, tiny_model, EXACT))


def test_constant_plane_among_others_is_told_and_empty(tiny_model: Model, stack: np.ndarray) -> None:
    planes = stack[0, 0].copy()
    planes[1] = 7
    events = list(stain_stack(load_array(planes), tiny_model, EXACT))
    (message,) = messages(iter(events))
    assert message == "Plane z=1 of image is constant, its stain is empty."
    done = {event.plane: event.values for event in events if isinstance(event, PlaneDone)}
    assert not done[(1,)].any()
    assert done[(0,)].any()
    assert done[(2,)].any()


def test_constant_planes_are_named_by_their_axes_and_a_few_of_them(tiny_model: Model, stack: np.ndarray) -> None:
    planes = np.concatenate([stack[:1, :1], np.zeros((4, 1, 3, 21, 26), np.uint8)])
    (message,) = messages(stain_stack(load_array(planes), tiny_model, EXACT))
    assert message.startswith("12 planes of image are constant")
    assert message.endswith("t=1, c=0, z=0; t=1, c=0, z=1; t=1, c=0, z=2; t=2, c=0, z=0; t=2, c=0, z=1; ….")


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_plane_of_a_stack_with_pixels_that_are_not_finite_is_named(
    tiny_model: Model, stack: np.ndarray, hole: float
) -> None:
    planes = stack[:, 0].astype(np.float32)  # (T, Z, Y, X)
    planes[1, 2, 5, 7] = hole
    (message,) = messages(stain_stack(load_array(planes, name="holes"), tiny_model, EXACT))
    assert message.startswith("Plane t=1, z=2 of holes has pixels")


@pytest.mark.parametrize(
    ("shape", "planes", "words"),
    [
        ((20, 20), None, "got a constant image (equal pixels); choose another image."),
        ((3, 20, 20), None, "got 3 constant planes (equal pixels); choose another image."),
        ((3, 20, 20), [(1,)], "got a constant plane (equal pixels); choose another plane."),
        ((1, 2, 2, 20, 20), None, "got 2 constant planes (equal pixels); choose another channel."),
    ],
)
def test_what_is_constant_is_said_and_what_to_choose(
    tiny_model: Model, shape: tuple[int, ...], planes: list[tuple[int, ...]] | None, words: str
) -> None:
    with pytest.raises(ImageError) as refusal:
        list(stain_stack(load_array(np.ones(shape), name="flat"), tiny_model, planes=planes))
    assert str(refusal.value).endswith(words)


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_nothing_but_constant_planes_is_an_error(tiny_model: Model, value: float) -> None:
    with pytest.raises(ImageError, match="contrast in flat"):
        list(stain_stack(load_array(np.full((2, 20, 20), value, np.float32), name="flat"), tiny_model))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4), complex), "complex128"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4), object), "object"),
        (np.zeros((0, 4)), r"0×4"),
        (np.zeros(4), "got 1"),
        (np.zeros((1, 1, 1, 1, 4, 4)), "got 6"),
    ],
)
def test_arrays_that_cannot_be_stained(tiny_model: Model, image: np.ndarray, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        stain(image, tiny_model)


@pytest.mark.parametrize("axes", ["ZYX", "YY", "AB", "SYX"[1:] + "S"])
def test_axes_that_do_not_fit(tiny_model: Model, axes: str) -> None:
    with pytest.raises(ImageError):
        stain(np.zeros((4, 4)), tiny_model, axes=axes)


@pytest.mark.parametrize("tile", [4, 16, 33, 1000])
def test_fractions_rise_to_one_and_tiles_make_the_plane(tiny_model: Model, stack: np.ndarray, tile: int) -> None:
    events = list(stain_stack(load_array(stack), tiny_model, StainSettings(precision="float32", tile=tile)))
    fractions = [event.fraction for event in events if isinstance(event, TileDone)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert 0 < fractions[0] <= 1 / 6  # the first of six planes
    assembled: dict[tuple[int, ...], np.ndarray] = {}
    for event in events:
        if isinstance(event, TileDone):
            assembled.setdefault(event.plane, np.full((21, 26), np.nan))[event.box] = event.values
        if isinstance(event, PlaneDone):
            np.testing.assert_array_equal(assembled[event.plane], event.values)
    assert len(assembled) == 6
    assert [(event.done, event.total) for event in events if isinstance(event, PlaneDone)] == [
        (number, 6) for number in range(1, 7)
    ]


def test_tile_size_does_not_change_the_stain(tiny_model: Model, cells: np.ndarray) -> None:
    whole = stain(cells, tiny_model, EXACT)
    for tile in (1, 7, 16, 40):
        tiled = stain(cells, tiny_model, StainSettings(precision="float32", tile=tile))
        np.testing.assert_allclose(tiled, whole, atol=1e-4)  # the bound that DESIGN.md promises


def test_planes_come_in_the_order_asked_for(tiny_model: Model, stack: np.ndarray) -> None:
    wanted = [(1, 1, 2), (0, 1, 0), (1, 1, 0)]
    events = list(stain_stack(load_array(stack), tiny_model, EXACT, channel=1, planes=wanted))
    done = [event for event in events if isinstance(event, PlaneDone)]
    assert [event.plane for event in done] == [(1, 0, 2), (0, 0, 0), (1, 0, 0)]
    assert [event.total for event in done] == [3, 3, 3]
    np.testing.assert_array_equal(done[0].values, stain(stack[1, 1, 2], tiny_model, EXACT))


def test_no_planes_asked_for_is_no_work(tiny_model: Model, stack: np.ndarray) -> None:
    assert list(stain_stack(load_array(stack), tiny_model, planes=[])) == []


def test_stain_takes_names_and_files_of_models(
    tiny_model: Model, cells: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_mitostain.model.library.user_models", lambda: tmp_path)
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    by_name = stain(cells, "tiny", EXACT)
    np.testing.assert_array_equal(by_name, stain(cells, tmp_path / "tiny.safetensors", EXACT))
    with pytest.raises(ModelError, match="got 'absent'"):
        stain(cells, "absent")


def test_stain_takes_files_of_images(tiny_model: Model, stack: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "TCZYX"})
    by_file = stain(path, tiny_model, EXACT, channel=1)
    np.testing.assert_array_equal(by_file, stain(stack, tiny_model, EXACT, "TCZYX", 1))
    np.testing.assert_array_equal(by_file, stain(str(path), tiny_model, EXACT, channel=1))
    with pytest.raises(FileError, match="does not exist"):
        stain(tmp_path / "absent.tif", tiny_model)
