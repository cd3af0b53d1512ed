"""On a processor several threads stain a plane each: the same stain and events, in order, and no more in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import NoContrastError
from napari_mitostain.events import Event, Notice, PlaneDone, TileDone
from napari_mitostain.image import Stack, load_array
from napari_mitostain.model import predictor as predictor_module
from napari_mitostain.model.device import with_threads
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Images, Predictor
from napari_mitostain.staining import stack as stack_module
from napari_mitostain.staining import stain_stack

EXACT = StainSettings("cpu", "float32")
THREADS = 4


@pytest.fixture(autouse=True)
def _four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)
    assert workers() == []


@pytest.fixture
def planes() -> np.ndarray:
    """Nine planes, of which one is constant and one has a hole."""
    stack = np.random.default_rng(5).integers(0, 255, (9, 70, 61)).astype(np.float32)
    stack[3] = 7
    stack[5, 20, 20] = np.nan
    return stack


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("concurrently")]


def told(event: Event) -> tuple[Any, ...]:
    """What an event says, without its pixels."""
    if isinstance(event, TileDone):
        return "tile", event.plane, event.box, event.fraction, event.values.shape
    if isinstance(event, PlaneDone):
        return "plane", event.plane, event.done, event.total
    return (type(event).__name__, event.message if isinstance(event, Notice) else "")


def test_stains_and_events_are_those_of_one_thread(tiny_model: Model, planes: np.ndarray) -> None:
    found = list(stain_stack(load_array(planes), tiny_model, EXACT))
    torch.set_num_threads(1)
    alone = list(stain_stack(load_array(planes), tiny_model, EXACT))
    assert [told(event) for event in found] == [told(event) for event in alone]
    for event, other in zip(found, alone, strict=True):
        if isinstance(event, (TileDone, PlaneDone)):
            # oneDNN may sum in another order: a few units of float32 (1.2e-7) in some hundred terms of order 1
            np.testing.assert_allclose(event.values, other.values, atol=1e-5)  # type: ignore[attr-defined]


def watched(monkeypatch: pytest.MonkeyPatch, barrier: threading.Barrier) -> list[tuple[str, int]]:
    """Let planes wait until so many are being stained; notes in which thread, with how many of torch's own."""
    seen: list[tuple[str, int]] = []

    class Watched(Predictor):
        def stained(self, windows: Images) -> Images:
            seen.append((threading.current_thread().name, torch.get_num_threads()))
            barrier.wait(timeout=30)
            return super().stained(windows)

    monkeypatch.setattr(stack_module, "Predictor", Watched)
    return seen


@pytest.mark.parametrize(("count", "share"), [(4, 1), (8, 1), (2, 2), (3, 2)])
def test_threads_are_shared_out(
    tiny_model: Model, planes: np.ndarray, count: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = THREADS // share  # of three planes two come at a time, so that all threads have work
    seen = watched(monkeypatch, threading.Barrier(at_once if count % at_once == 0 else 1))
    indices = [(z,) for z in (0, 1, 2, 4, 6, 7, 8, 0)][:count]
    list(stain_stack(load_array(planes), tiny_model, EXACT, planes=indices))
    assert [threads for _, threads in seen] == [share] * count
    assert len({name for name, _ in seen}) <= at_once
    assert threading.current_thread().name not in {name for name, _ in seen}


def test_numbers_of_torchs_threads_stay_as_they_are_elsewhere() -> None:
    numbers = dict[str, int]()

    def note(name: str) -> None:
        numbers[name] = torch.get_num_threads()

    def limited(name: str) -> None:
        note(name)
        other = threading.Thread(target=note, args=("one that begins meanwhile",))
        other.start()
        other.join()

    for name, function in (("limited", with_threads(limited, 1)), ("one that begins after", note)):
        thread = threading.Thread(target=function, args=(name,))
        thread.start()
        thread.join()
    with_threads(note, 2)("this one, limited")
    note("this one")
    assert numbers == {
        "limited": 1,
        "one that begins meanwhile": THREADS,
        "one that begins after": THREADS,
        "this one, limited": 2,
        "this one": THREADS,
    }


def test_no_more_planes_are_read_than_threads_are_busy_with(tiny_model: Model) -> None:
    class Spy:
        shape, dtype, ndim, loads = (40, 30, 31), np.dtype(np.uint8), 3, 0

        def __getitem__(self, key: Any) -> np.ndarray:
            self.loads += 1
            return np.random.default_rng(key[0]).integers(0, 255, self.shape[1:], np.uint8)

    spy, done = Spy(), 0
    for event in stain_stack(Stack(spy, "ZYX"), tiny_model, EXACT):
        done += isinstance(event, PlaneDone)
        assert spy.loads <= done + THREADS + 1  # and one that waits, so that no thread does
    assert spy.loads == done == 40


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_planes_that_memory_does_not_take_together_come_one_by_one(
    tiny_model: Model, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(tiny_model, StainSettings("cpu", precision))
    assert predictor.planes_at_once((256, 256)) == THREADS
    # 6 numbers for each of 4 base channels a pixel: room for two planes of 100 × 100, not for three
    monkeypatch.setattr(predictor_module, "_MEMORY_HERE", 2 * 100 * 100 * 6 * 4 * predictor.dtype.itemsize)
    assert [predictor.planes_at_once((side, 100)) for side in (50, 66, 100, 101, 1000)] == [4, 3, 2, 1, 1]
    a_plane = 100 * 100 * 6 * 4 * predictor.dtype.itemsize
    assert [predictor.planes_at_once((100, 100), read) for read in (0, 1, a_plane, 99 * a_plane)] == [2, 1, 1, 1]


def test_planes_that_are_cut_come_tile_by_tile(tiny_model: Model, planes: np.ndarray) -> None:
    cut = StainSettings("cpu", "float32", tile=32)
    assert Predictor(tiny_model, cut).planes_at_once((70, 61)) == 1
    assert Predictor(tiny_model, cut).planes_at_once((32, 32)) == THREADS
    events = stain_stack(load_array(planes), tiny_model, cut)
    assert isinstance(next(events), TileDone)
    assert workers() == []
    events.close()


def test_stop_ends_the_threads(tiny_model: Model, planes: np.ndarray) -> None:
    events = stain_stack(load_array(planes), tiny_model, EXACT)
    next(events)
    assert workers()
    events.close()
    assert workers() == []


def test_error_comes_after_the_planes_before_it(tiny_model: Model, planes: np.ndarray) -> None:
    class Damaged:
        shape, dtype, ndim = planes.shape, planes.dtype, 3

        def __getitem__(self, key: Any) -> np.ndarray:
            if key[0] == 6:
                raise OSError("disk gone")
            return planes[key]

    done = []
    with pytest.raises(OSError, match="disk gone"):  # noqa: PT012
        for event in stain_stack(Stack(Damaged(), "ZYX"), tiny_model, EXACT):
            done += [event.plane] if isinstance(event, PlaneDone) else []
    assert done == [(z,) for z in range(6)]


def test_lack_of_memory_cuts_planes_in_all_threads(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    planes = np.random.default_rng(6).integers(0, 255, (5, 150, 141), np.uint8)
    expected = {
        e.plane: e.values for e in stain_stack(load_array(planes), tiny_model, EXACT) if isinstance(e, PlaneDone)
    }
    halo = -(-tiny_model.geometry.halo // 4) * 4

    class Limited(Predictor):
        def stained(self, windows: Images) -> Images:
            if max(windows.shape) > 16 + 2 * halo:
                raise MemoryError
            return super().stained(windows)

    monkeypatch.setattr(stack_module, "Predictor", Limited)
    events = list(stain_stack(load_array(planes), tiny_model, EXACT))
    assert any(isinstance(event, Notice) and "Not enough memory" in event.message for event in events)
    for event in events:
        if isinstance(event, PlaneDone):
            np.testing.assert_allclose(event.values, expected[event.plane], atol=1e-4)  # the bound for tilings


def test_stack_without_contrast_is_refused(tiny_model: Model) -> None:
    with pytest.raises(NoContrastError):
        list(stain_stack(load_array(np.full((5, 40, 40), 3, np.uint8)), tiny_model, EXACT))
