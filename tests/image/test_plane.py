"""The stack: its axes, its planes and what it refuses."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.errors import ImageError
from napari_mitostain.image import Stack, guess_axes, load_array

axes_with_yx = st.sets(st.sampled_from("TCZ")).flatmap(lambda others: st.permutations([*sorted(others), "Y", "X"]))


@given(axes=axes_with_yx, data=st.data())
def test_planes_of_all_channels_cover_each_pixel_once(axes: list[str], data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 3)) for _ in axes)
    stack = Stack(np.arange(np.prod(shape)).reshape(shape), "".join(axes))
    seen = [stack.read(index) for channel in range(stack.channel_count) for index in stack.planes(channel)]
    assert all(plane.shape == stack.plane_shape for plane in seen)
    assert sorted(np.concatenate([plane.ravel() for plane in seen])) == list(range(stack.data.size))


@given(axes=axes_with_yx, data=st.data())
def test_stained_index_lies_in_the_stained_shape(axes: list[str], data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 3)) for _ in axes)
    stack = Stack(np.zeros(shape), "".join(axes))
    indices = {stack.stained_index(index) for index in stack.planes(stack.channel_count - 1)}
    leading = [n for axis, n in zip(axes, stack.stained_shape(), strict=True) if axis not in "YX"]
    assert indices == set(np.ndindex(*leading))


def test_plane_is_rows_by_columns_even_if_x_comes_first() -> None:
    stack = Stack(np.arange(6).reshape(2, 3), "XY")
    assert stack.plane_shape == (3, 2)
    np.testing.assert_array_equal(stack.read(()), [[0, 3], [1, 4], [2, 5]])


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_array_kinds_read_the_same(kind: str) -> None:
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    wrap = {"numpy": np.asarray, "dask": da.from_array, "zarr": zarr.array}[kind]
    np.testing.assert_array_equal(load_array(wrap(array)).read((1,)), array[1])


def test_array_loads_only_the_plane_asked_for() -> None:
    loaded: list[int] = []

    def load(block: np.ndarray, block_info: dict) -> np.ndarray:
        loaded.append(block_info[0]["chunk-location"][0])
        return block

    array = da.zeros((5, 4, 4), chunks=(1, 4, 4)).map_blocks(load, dtype=float)
    load_array(array).read((3,))
    assert loaded == [3]


def test_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(ImageError, match=r"channel from 0 to 1 .* got 2"):
        Stack(np.zeros((2, 3, 4)), "CYX").planes(2)


@pytest.mark.parametrize(
    ("own", "wanted", "zoom"),
    [(0.1, 0.2, 0.5), (0.2, 0.1, 2.0), (0.1, 0.10001, 1.0), (None, 0.1, None), (0.1, None, None)],
)
def test_zoom_brings_pixels_to_size(own: float | None, wanted: float | None, zoom: float | None) -> None:
    stack = Stack(np.zeros((3, 4)), "YX", {} if own is None else {"Y": own, "X": own})
    assert stack.zoom_to(wanted) == pytest.approx(zoom)


@pytest.mark.parametrize(("ndim", "axes"), [(2, "YX"), (3, "ZYX"), (4, "TZYX"), (5, "TCZYX")])
def test_guessed_axes(ndim: int, axes: str) -> None:
    assert guess_axes((7,) * ndim, "image") == axes


@pytest.mark.parametrize("shape", [(40, 50, 3), (5, 40, 50, 3), (2, 5, 40, 50, 4)])
def test_what_looks_like_colours_is_no_stack_of_thin_planes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="looks like colours"):
        load_array(np.zeros(shape))
    axes = "TCZYX"[-len(shape) :]
    assert load_array(np.zeros(shape), axes).axes == axes


@pytest.mark.parametrize("ndim", [0, 1, 6])
def test_array_that_is_no_image_is_refused(ndim: int) -> None:
    with pytest.raises(ImageError, match="Expected 2 to 5 dimensions"):
        load_array(np.zeros((1,) * ndim))


@pytest.mark.parametrize(
    ("array", "axes", "match"),
    [
        (np.zeros((4, 4, 3)), "YXS", "RGB"),
        (np.zeros((2, 4, 4)), "QYX", "got Q"),
        (np.zeros((2, 4, 4)), "YX", "one axis letter per dimension"),
        (np.zeros((2, 4, 4)), "ZZX", "one axis letter per dimension"),
        (np.zeros((2, 4, 4)), "TZY", "one axis letter per dimension"),
        (np.zeros((4, 4), complex), "YX", "complex128"),
        (np.zeros((4, 4), bool), "YX", "bool"),
        (np.zeros((4, 4), object), "YX", "object"),
        (np.zeros((0, 4)), "YX", "at least one pixel"),
    ],
)
def test_bad_stack_is_refused_in_one_sentence(array: np.ndarray, axes: str, match: str) -> None:
    with pytest.raises(ImageError, match=match) as caught:
        Stack(array, axes)
    assert str(caught.value).count("\n") == 0


@given(axes=axes_with_yx, data=st.data())
def test_put_is_the_inverse_of_read(axes: list[str], data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 3)) for _ in axes)
    stack = Stack(np.arange(np.prod(shape)).reshape(shape), "".join(axes))
    copy = np.full(shape, -1)
    for channel in range(stack.channel_count):
        for index in stack.planes(channel):
            stack.put(copy, index, stack.read(index))
    np.testing.assert_array_equal(copy, stack.data)


def test_all_planes_of_a_channel_are_read_into_one_array() -> None:
    image = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    planes = Stack(image, "XCZY").read_planes(channel=1)
    assert planes.dtype == np.uint16
    np.testing.assert_array_equal(planes, image[:, 1].transpose(1, 2, 0))


def test_colours_are_not_taken_for_columns() -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(ImageError, match=r"got an array of 20×30×3, which looks like colours"):
        load_array(colours)
    assert load_array(colours, "ZYX").plane_shape == (30, 3)
