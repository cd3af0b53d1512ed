"""Beside a GPU threads read, scale and write: the same stain, the same events, and nothing goes on after the end."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError
from napari_mitostain.events import Event, FileDone, Notice, PlaneDone, TileDone, UnitsKept
from napari_mitostain.image import Stack, units
from napari_mitostain.image.files import ResumableWriter, read_stack, write_zarr
from napari_mitostain.model.loading import Model
from napari_mitostain.prefetching import concurrently
from napari_mitostain.staining import blocks as blocks_module
from napari_mitostain.staining import stack as stack_module
from napari_mitostain.staining import stain, stain_file
from napari_mitostain.staining import units as units_module

EXACT = StainSettings("cpu", "float32", tile=48)


@pytest.fixture(autouse=True)
def _help(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let threads help a processor as if it were a GPU, and cut planes into small blocks."""
    for module in (stack_module, blocks_module, units_module):
        monkeypatch.setattr(module, "helping_threads", lambda *_: 3)
    monkeypatch.setattr(units, "BLOCK", 96)
    monkeypatch.setattr(units, "LARGE", 96**2)
    monkeypatch.setattr(units, "_STEP", 32)
    monkeypatch.setattr(write_zarr, "_CHUNK", 32)


@pytest.fixture(params=[(9, 90, 91), (2, 200, 263)], ids=["planes", "blocks"])
def planes(request: pytest.FixtureRequest) -> np.ndarray:
    """A stack of planes below the size that is cut, and one of planes above it; one plane has no contrast."""
    random = np.random.default_rng(0)
    stack = (3000 + 400 * gaussian_filter(random.standard_normal(request.param), (0, 2, 2))).astype(np.uint16)
    stack[1] = 7
    return stack


@pytest.fixture
def source(planes: np.ndarray, tmp_path: Path) -> Path:
    zarr.create_array(tmp_path / "in.zarr", data=planes)
    return tmp_path / "in.zarr"


def helpers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("concurrently", "prefetching"))]


@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
def test_stain_and_events_are_those_of_one_thread(
    tiny_model: Model, planes: np.ndarray, source: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = source.with_name(name)
    found = list(stain_file(source, output, tiny_model, EXACT))
    assert helpers() == []
    for module in (stack_module, blocks_module, units_module):
        monkeypatch.setattr(module, "helping_threads", lambda *_: 0)
    alone = list(stain_file(source, source.with_name(f"alone-{name}"), tiny_model, EXACT))
    assert [told(event) for event in found] == [told(event) for event in alone]
    for z in range(len(planes)):
        np.testing.assert_array_equal(
            read_stack(output).read((z,)), read_stack(source.with_name(f"alone-{name}")).read((z,))
        )
    assert [event.kept for event in stain_file(source, output, tiny_model, EXACT) if isinstance(event, FileDone)] == [
        True
    ]


def told(event: Event) -> tuple[Any, ...]:
    """What an event says, without its pixels and its file."""
    if isinstance(event, TileDone):
        return event.plane, event.box, event.fraction, event.values.shape
    if isinstance(event, PlaneDone):
        return event.plane, event.done, event.total
    return (type(event), event.message if isinstance(event, Notice) else "")


def test_stack_in_memory_is_put_together_in_order(tiny_model: Model, planes: np.ndarray) -> None:
    with pytest.warns(UserWarning, match="constant"):
        found = stain(planes, tiny_model, EXACT)
    for z in (0, -1):
        if planes[z].std() > 1:
            np.testing.assert_array_equal(found[z], stain(planes[z], tiny_model, EXACT))
    assert not found[1].any()


def test_what_is_written_before_a_stop_is_kept(tiny_model: Model, planes: np.ndarray, source: Path) -> None:
    output = source.with_name("out.zarr")
    events = stain_file(source, output, tiny_model, EXACT)
    tiles = 0
    for event in events:
        tiles += isinstance(event, TileDone)
        if tiles == 24:  # of four a plane or block
            break
    events.close()
    assert helpers() == []
    assert not output.exists()
    again = list(stain_file(source, output, tiny_model, EXACT))
    assert sum(event.count for event in again if isinstance(event, UnitsKept)) >= 1
    np.testing.assert_allclose(read_stack(output).read((0,)), stain(planes[0], tiny_model, EXACT), atol=1e-4)  # tilings


def test_failure_of_a_thread_that_writes_reaches_the_caller(
    tiny_model: Model, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Iterator[None]:
        raise FileError("Expected room on the disk, got none; make room.")

    monkeypatch.setattr(ResumableWriter, "write", fail)
    with pytest.raises(FileError, match="make room"):
        list(stain_file(source, source.with_name("out.zarr"), tiny_model, EXACT))
    assert helpers() == []


def test_plane_that_cannot_be_read_costs_none_of_those_before_it(
    tiny_model: Model, source: Path, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Stack.read

    def broken(stack: Stack, index: tuple[int, ...], *box: Any) -> np.ndarray:
        if index == (len(planes) - 1,):
            raise FileError("Expected a complete file, got another; copy it again.")
        return read(stack, index, *box)

    with monkeypatch.context() as cut:
        cut.setattr(Stack, "read", broken)
        with pytest.raises(FileError, match="copy it again"):
            list(stain_file(source, source.with_name("out.zarr"), tiny_model, EXACT))
    assert helpers() == []
    again = list(stain_file(source, source.with_name("out.zarr"), tiny_model, EXACT))
    ahead = len(units.units_of(read_stack(source))) // len(planes)
    assert [event.count for event in again if isinstance(event, UnitsKept)] == [(len(planes) - 1) * ahead]


def test_an_error_that_is_kept_keeps_no_thread(tiny_model: Model, planes: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            stain(planes, tiny_model, EXACT)
        except UserWarning as error:
            kept = error  # as a notebook does
    assert "constant" in str(kept) or "copy" in str(kept)
    assert helpers() == []


def test_large_planes_are_held_few_at_a_time(
    tiny_model: Model, source: Path, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[float]()

    def noted(_device: torch.device, bytes_each: float) -> int:
        asked.append(bytes_each)
        return 1

    for module in (stack_module, blocks_module, units_module):
        monkeypatch.setattr(module, "helping_threads", noted)
    list(stain_file(source, source.with_name("out.zarr"), tiny_model, EXACT))
    unit = min(96**2, planes[0].size)
    assert min(asked) >= unit * 2  # what is read of a plane or a block
    assert max(asked) >= unit * 4  # its stain


def test_pictures_are_decoded_by_threads(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (300, 200), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    stack, before = read_stack(tmp_path / "a.png"), list(warnings.filters)
    found = list(concurrently(lambda _: stack.read(()), range(60), 8))
    assert warnings.filters == before
    for plane in found:
        np.testing.assert_array_equal(plane, picture)
