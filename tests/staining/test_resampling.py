"""Planes brought to the model's pixel size, and stains brought back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.events import Notice, PlaneDone, TileDone
from napari_mitostain.image import Stack
from napari_mitostain.model.loading import Model
from napari_mitostain.staining import stain, stain_file, stain_stack
from napari_mitostain.staining.resampling import (
    box_in_plane,
    fitted,
    resampled,
    resampled_shape,
    resized_part,
    source_of,
)

RESAMPLED = StainSettings(precision="float32", resample=True)
UNCHANGED = StainSettings(precision="float32")


def stack_of(image: np.ndarray, pixel_size: float | None) -> Stack:
    return Stack(image, "YX", {} if pixel_size is None else {"Y": pixel_size, "X": pixel_size})


@pytest.mark.parametrize("pixel_size", [0.05, 0.083, 0.1, 0.13, 0.4])
@pytest.mark.parametrize("tile", [None, 8, 20])
def test_stain_keeps_the_shape_of_its_input_in_planes_and_tiles(
    tiny_model: Model, cells: np.ndarray, pixel_size: float, tile: int | None
) -> None:
    settings = StainSettings(precision="float32", resample=True, tile=tile)
    seen = np.zeros(cells.shape, bool)
    for event in stain_stack(stack_of(cells, pixel_size), tiny_model, settings):
        if isinstance(event, TileDone):
            assert seen[event.box].shape == event.values.shape
            assert event.values.size
            seen[event.box] = True
        assert isinstance(event, TileDone | PlaneDone)
        assert event.values.min() >= 0
        assert event.values.max() <= 1
    assert isinstance(event, PlaneDone)
    assert event.values.shape == cells.shape
    assert event.values.dtype == np.float32
    # The resampled plane's sides are rounded by at most half a pixel of its own, which is half of its pixel size
    # over the plane's: up to 2 rows or columns at 0.4 µm are not covered by tiles, and come with the whole plane.
    margin = int(np.ceil(0.5 * max(1, 0.1 / pixel_size)))
    assert seen[: cells.shape[0] - margin, : cells.shape[1] - margin].all()


@pytest.mark.filterwarnings("ignore:Not resampled")
@pytest.mark.parametrize("pixel_size", [None, 0.1, 0.10005])
def test_unknown_or_equal_pixel_size_changes_nothing(
    tiny_model: Model, cells: np.ndarray, pixel_size: float | None
) -> None:
    stack = stack_of(cells, pixel_size)
    np.testing.assert_array_equal(stain(stack, tiny_model, RESAMPLED), stain(stack, tiny_model, UNCHANGED))


@pytest.mark.parametrize(("pixel_size", "known"), [(None, 0.1), (0.2, None)])
def test_unknown_pixel_size_is_told_where_resampling_is_asked_for(
    tiny_model: Model, cells: np.ndarray, pixel_size: float | None, known: float | None
) -> None:
    model = replace(tiny_model, card=replace(tiny_model.card, pixel_size_um=known))
    stack = stack_of(cells, pixel_size)
    notices = [event.message for event in stain_stack(stack, model, RESAMPLED) if isinstance(event, Notice)]
    assert notices == [
        f"Not resampled: the pixel size {'of stack' if known else 'that tiny was trained on'} is unknown."
    ]
    assert not any(isinstance(event, Notice) for event in stain_stack(stack, model, UNCHANGED))


@pytest.mark.parametrize("pixel_size", [None, 0.2])
def test_file_says_whether_it_was_resampled(
    tiny_model: Model, cells: np.ndarray, tmp_path: Path, pixel_size: float | None
) -> None:
    metadata = {"axes": "YX"} | ({} if pixel_size is None else {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2})
    tifffile.imwrite(tmp_path / "in.ome.tif", cells, ome=True, metadata=metadata)
    list(stain_file(tmp_path / "in.ome.tif", tmp_path / "out.zarr", tiny_model, RESAMPLED))
    record = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs["napari_mitostain"]
    assert record["details"]["settings"]["resample"] == (pixel_size is not None)


def test_resampling_happens_only_when_asked_for(tiny_model: Model, cells: np.ndarray) -> None:
    stack = stack_of(cells, 0.2)
    np.testing.assert_array_equal(stain(stack, tiny_model, UNCHANGED), stain(cells, tiny_model, UNCHANGED))
    assert not np.array_equal(stain(stack, tiny_model, RESAMPLED), stain(cells, tiny_model, UNCHANGED))


def test_resampling_brings_a_magnified_image_back_to_what_the_model_knows(tiny_model: Model) -> None:
    image = gaussian_filter(np.random.default_rng(0).standard_normal((60, 80)), 4)
    magnified = resampled(image, 2)
    assert magnified.shape == (120, 160)
    truth = stain(image, tiny_model, UNCHANGED)
    result = resampled(stain(stack_of(magnified, 0.05), tiny_model, RESAMPLED), 0.5)
    unaware = resampled(stain(stack_of(magnified, 0.05), tiny_model, UNCHANGED), 0.5)
    # Structures of 4 px survive linear interpolation nearly unchanged; the stain of the image at twice the size, which
    # the network has another view of, is the yardstick.
    assert np.abs(result - truth).mean() < 0.5 * np.abs(unaware - truth).mean()


@pytest.mark.parametrize("pixel_size", [1e-4, 100.0])
def test_pixel_size_beyond_reason_is_refused(tiny_model: Model, cells: np.ndarray, pixel_size: float) -> None:
    with pytest.raises(ImageError, match="correct the pixel size"):
        stain(stack_of(cells, pixel_size), tiny_model, RESAMPLED)


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (4, 40)])
def test_planes_that_shrink_to_a_row_of_pixels(tiny_model: Model, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape)
    assert stain(stack_of(image, 0.01), tiny_model, RESAMPLED).shape == shape


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_planes_that_shrink_to_one_pixel_have_no_contrast(tiny_model: Model, shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="contrast"):
        stain(stack_of(np.random.default_rng(0).random(shape), 0.01), tiny_model, RESAMPLED)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(1 / 16, 16), st.integers(0, 4000), st.integers(1, 200))
def test_boxes_lie_in_the_plane_and_hold_at_least_a_pixel(
    height: int, width: int, zoom: float, start: int, side: int
) -> None:
    zoomed = [max(1, round(length * zoom)) for length in (height, width)]
    firsts = [start % length for length in zoomed]
    core = tuple(slice(first, min(first + side, length)) for first, length in zip(firsts, zoomed, strict=True))
    box = box_in_plane((core[0], core[1]), zoom, (height, width))
    for part, length in zip(box, (height, width), strict=True):
        assert 0 <= part.start < part.stop <= length
    values = np.ones([part.stop - part.start for part in core], np.float32)
    np.testing.assert_allclose(fitted(values, box), 1, rtol=1e-6)


@pytest.mark.parametrize("zoom", [0.2, 0.77, 1.3, 2, 8])
def test_part_is_resized_as_in_the_whole(zoom: float) -> None:
    image = np.random.default_rng(0).random((53, 71))
    shape = resampled_shape((53, 71), zoom)
    whole = resampled(image, zoom)
    rows, columns = (np.linspace(0, length, 4).astype(int).tolist() for length in shape)
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            box = slice(top, bottom), slice(left, right)
            seen = source_of(box, shape, (53, 71))
            part = resized_part(image[seen], seen, (53, 71), box, shape)
            np.testing.assert_allclose(part, whole[box], atol=1e-12)
