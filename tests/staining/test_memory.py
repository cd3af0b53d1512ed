"""Too little memory, by injection: smaller tiles, the same stain, and an end where nothing helps."""

from __future__ import annotations

import itertools
import math
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.events import Notice, PlaneDone, TileDone
from napari_mitostain.image import load_array
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Images, Predictor
from napari_mitostain.staining import stack as stack_module
from napari_mitostain.staining import stain, stain_stack
from napari_mitostain.staining.tiler import PlaneTiler

EXACT = StainSettings(precision="float32", tile=64)
OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
    MemoryError(),
    RuntimeError("can't allocate memory"),
)


def limit_memory(monkeypatch: pytest.MonkeyPatch, pixels: int, error: BaseException = OUT_OF_MEMORY[0]) -> list[Any]:
    """Let predictors fail on windows longer than `pixels`; returns what releases of memory are noted in."""
    released: list[Any] = []

    class Limited(Predictor):
        def stained(self, window: Images) -> Images:
            if max(window.shape) > pixels:
                raise error
            return super().stained(window)

        def release_memory(self) -> None:
            released.append(self)

    monkeypatch.setattr(stack_module, "Predictor", Limited)
    return released


@pytest.fixture
def planes() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (2, 150, 141), dtype=np.uint8)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_tiles_are_halved_until_they_fit_and_the_stain_is_the_same(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    expected = stain(planes, tiny_model, EXACT)
    # A window is a core and two halos, the halo rounded up to the stride of 4; room for a core of 16 but not of 32.
    halo = -(-tiny_model.geometry.halo // 4) * 4
    released = limit_memory(monkeypatch, 16 + 2 * halo, error)
    events = list(stain_stack(load_array(planes), tiny_model, EXACT))
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert ["64 pixels, going on with 32" in notices[0], "32 pixels, going on with 16" in notices[1]] == [True, True]
    assert len(notices) == len(released) == 2  # the second plane starts with what was learnt at the first
    for event in events:
        if isinstance(event, PlaneDone):
            np.testing.assert_allclose(event.values, expected[event.plane], atol=1e-4)  # the bound for tilings


def test_default_tile_larger_than_the_plane_is_halved_from_the_size_of_the_plane(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(monkeypatch, 140)
    events = list(stain_stack(load_array(planes[0]), tiny_model, StainSettings(precision="float32")))
    (notice,) = [event.message for event in events if isinstance(event, Notice)]
    assert "tiles of 152 pixels" in notice  # 150, rounded up to the stride


def test_blocks_are_halved_from_the_tile_that_they_are_cut_into(tiny_model: Model) -> None:
    class Limited(Predictor):
        def stained(self, window: Images) -> Images:
            if max(window.shape) > 700:
                raise MemoryError
            return super().stained(window)

    tiler = PlaneTiler(Limited(tiny_model, StainSettings("cpu", "bfloat16")))
    found = list(tiler.run(np.zeros((1, 1300, 1300), np.float32), (slice(0, 1100), slice(0, 1100))))
    assert [part.message[:45] for part in found if isinstance(part, Notice)] == [
        "Not enough memory for tiles of 1024 pixels, g"
    ]
    assert found[-1].fraction == 1  # type: ignore[union-attr]


def test_lack_of_memory_in_the_middle_of_a_plane_repeats_its_tiles(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = stain(planes, tiny_model, EXACT)
    calls = itertools.count()

    class FailsOnce(Predictor):
        def stained(self, window: Images) -> Images:
            if next(calls) == 5:
                raise torch.OutOfMemoryError("another program took it")
            return super().stained(window)

    monkeypatch.setattr(stack_module, "Predictor", FailsOnce)
    events = list(stain_stack(load_array(planes), tiny_model, EXACT))
    assembled = np.full(planes.shape, np.nan, np.float32)
    for event in events:
        if isinstance(event, TileDone):
            assembled[event.plane][event.box] = event.values
    np.testing.assert_allclose(assembled, expected, atol=1e-4)
    assert sum(isinstance(event, Notice) for event in events) == 1


def test_memory_is_released_when_nothing_holds_what_failed_any_more(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, alive = [], []

    class FailsOnce(Predictor):
        def stained(self, window: Images) -> Images:
            if not held:
                half_done = torch.zeros(1)
                held.append(weakref.ref(half_done))
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().stained(window)

        def release_memory(self) -> None:
            alive.append(held[0]() is not None)

    monkeypatch.setattr(stack_module, "Predictor", FailsOnce)
    list(stain_stack(load_array(planes), tiny_model, EXACT))
    assert alive == [False]


@pytest.mark.parametrize("tile", [None, 1, 4, 5, 64])
def test_no_memory_for_the_smallest_tile_is_a_device_error(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch, tile: int | None
) -> None:
    limit_memory(monkeypatch, 0)
    with pytest.raises(DeviceError, match="tiles of 4 pixels") as caught:
        list(stain_stack(load_array(planes), tiny_model, StainSettings(tile=tile)))
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug"), KeyboardInterrupt()])
def test_other_errors_are_not_taken_for_a_lack_of_memory(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    released = limit_memory(monkeypatch, 0, error)
    with pytest.raises(type(error)) as caught:
        list(stain_stack(load_array(planes), tiny_model, EXACT))
    assert caught.value is error
    assert released == []


def batches_of(monkeypatch: pytest.MonkeyPatch, room: int, pixels: int) -> list[tuple[int, ...]]:
    """Let predictors take batches of up to `room` pixels, and fail beyond `pixels`; notes the shapes that come."""
    shapes: list[tuple[int, ...]] = []

    class Batching(Predictor):
        def __init__(self, model: Model, settings: StainSettings) -> None:
            super().__init__(model, settings)
            self.room = room

        def planes_at_once(self, *_: Any) -> int:  # as on a GPU
            return 1

        def stained(self, windows: Images) -> Images:
            shapes.append(tuple(windows.shape))
            if math.prod(windows.shape) > pixels:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().stained(windows)

    monkeypatch.setattr(stack_module, "Predictor", Batching)
    return shapes


@pytest.fixture
def small_planes() -> np.ndarray:
    """Seven planes, one of them constant, whose windows have 40 by 32 pixels."""
    planes = np.random.default_rng(6).integers(0, 255, (7, 40, 31), dtype=np.uint8)
    planes[2] = 9
    return planes


WINDOW = 40 * 32


def test_small_planes_are_stained_together_and_each_as_if_alone(
    tiny_model: Model, small_planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match=r"Plane z=2 of image is constant"):
        expected = stain(small_planes, tiny_model, EXACT)
    shapes = batches_of(monkeypatch, room=4 * WINDOW, pixels=4 * WINDOW)
    events = list(stain_stack(load_array(small_planes), tiny_model, EXACT))
    assert shapes == [(3, 40, 32), (3, 40, 32)]  # of the first four planes, one is constant
    done = [event for event in events if isinstance(event, PlaneDone)]
    assert [event.plane for event in done] == [(number,) for number in range(7)]
    for event in done:
        np.testing.assert_allclose(event.values, expected[event.plane], atol=1e-5)  # sums in another order
    tiles = [event for event in events if isinstance(event, TileDone)]
    assert [event.plane for event in tiles] == [(number,) for number in (0, 1, 3, 4, 5, 6)]
    for tile in tiles:
        np.testing.assert_array_equal(tile.values, done[tile.plane[0]].values[tile.box])
    fractions = [tile.fraction for tile in tiles]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_lack_of_memory_halves_the_batch_then_the_tile(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    untiled = StainSettings(precision="float32")
    expected = stain(planes, tiny_model, untiled)
    window = 152 * 144  # a plane, rounded up to the stride
    shapes = batches_of(monkeypatch, room=2 * window, pixels=window - 1)
    events = list(stain_stack(load_array(planes), tiny_model, untiled))
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "Not enough memory for 2 planes at once, going on with 1.",
        "Not enough memory for tiles of 152 pixels, going on with 76.",
    ]
    assert [shape[0] for shape in shapes] == [2] + [1] * (len(shapes) - 1)
    for event in events:
        if isinstance(event, PlaneDone):
            np.testing.assert_allclose(event.values, expected[event.plane], atol=1e-4)


def test_batch_that_fits_again_goes_on_where_it_was(
    tiny_model: Model, small_planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match=r"Plane z=2 of image is constant"):
        expected = stain(small_planes, tiny_model, EXACT)
    shapes = batches_of(monkeypatch, room=7 * WINDOW, pixels=4 * WINDOW)
    events = list(stain_stack(load_array(small_planes), tiny_model, EXACT))
    assert [shape[0] for shape in shapes] == [6, 3, 3]
    assembled = np.zeros(small_planes.shape, np.float32)
    for event in events:
        if isinstance(event, TileDone):
            assembled[event.plane][event.box] = event.values
    np.testing.assert_allclose(assembled, expected, atol=1e-4)


def test_planes_of_several_tiles_come_one_by_one(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = batches_of(monkeypatch, room=100 * 100, pixels=10**9)  # less than two windows of a core of 64
    list(stain_stack(load_array(planes), tiny_model, EXACT))
    assert {shape[0] for shape in shapes} == {1}


def test_on_a_gpu_planes_are_read_ahead_and_reading_ends_with_the_job(
    tiny_model: Model, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(Predictor):
        def __init__(self, model: Model, settings: StainSettings) -> None:
            super().__init__(model, settings)
            self.device = torch.device("meta")  # any but the processor

        def stained(self, windows: Images) -> Images:
            self.device = torch.device("cpu")
            return super().stained(windows)

    expected = stain(planes, tiny_model, EXACT)
    monkeypatch.setattr(stack_module, "Predictor", Elsewhere)
    np.testing.assert_array_equal(stain(planes, tiny_model, EXACT), expected)
    events = stain_stack(load_array(np.concatenate([planes] * 4)), tiny_model, EXACT)
    next(events)
    assert [thread for thread in threading.enumerate() if thread.name == "prefetching"]
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetching"]
