"""zarr arrays read and written by the thread that asks: what zarr reads and writes, and no thread beside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import GzipCodec

from napari_mitostain.image.files import Provenance, open_writer, read_stack, zarr_here
from napari_mitostain.image.files.zarr_here import CODEC, ArrayHere, are_chunks, write_chunks

VALUES = np.random.default_rng(0).integers(0, 4000, (3, 50, 70), dtype=np.uint16)
KINDS: dict[str, dict[str, Any]] = {
    "default": {},
    "gzip": {"compressors": GzipCodec()},
    "plain": {"compressors": None},
    "shards": {"chunks": (1, 8, 10), "shards": (1, 24, 40)},
    "version 2": {"zarr_format": 2},
    "across planes": {"chunks": (2, 50, 11)},
}
KEYS = [(1, slice(None), slice(None)), (2, slice(3, 41), slice(15, 16)), (slice(0, 3), 7, slice(60, 70)), (0, 0, 0)]


@pytest.fixture(params=KINDS)
def array(request: pytest.FixtureRequest, tmp_path: Path) -> zarr.Array[Any]:
    options = {"chunks": (1, 16, 20)} | KINDS[request.param]
    return zarr.create_array(tmp_path / "a.zarr", data=VALUES, **options)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_part_is_what_zarr_reads(array: zarr.Array[Any], key: tuple[int | slice, ...]) -> None:
    here = ArrayHere(array.async_array)
    assert (here.shape, here.dtype) == (VALUES.shape, VALUES.dtype)
    found = np.asarray(here[key])
    np.testing.assert_array_equal(found, VALUES[key])
    assert found.shape == VALUES[key].shape


def test_chunk_that_is_absent_is_the_fill_value(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", shape=(4, 4), chunks=(2, 2), dtype="u1", fill_value=7)
    array[:2] = 1
    assert ArrayHere(array.async_array)[:, 0].tolist() == [1, 1, 7, 7]


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the threads that read whole files."""
    names, read = set[str](), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: (names.add(threading.current_thread().name), read(self))[1])
    return names


@pytest.fixture
def stain_of(array: zarr.Array[Any], tmp_path: Path, provenance: Provenance) -> Callable[[], np.ndarray]:
    """Copies the first plane of a zarr array as a stain, and reads it back."""

    def copied() -> np.ndarray:
        stack = read_stack(tmp_path / "a.zarr")
        with open_writer(tmp_path / "b.zarr", stack, provenance, overwrite=True) as writer:
            writer.write((0,), stack.read((0,)))
        return read_stack(tmp_path / "b.zarr").read((0,))

    return copied


def test_reading_takes_place_in_the_thread_that_asks(array: zarr.Array[Any], threads: set[str]) -> None:
    reader = threading.Thread(
        target=ArrayHere(array.async_array).__getitem__, args=((0, slice(30), slice(40)),), name="asks"
    )
    reader.start()
    reader.join()
    assert threads <= {"asks"}
    assert threads or "shard" in str(array.metadata)  # of which parts are read, by another call


@pytest.mark.parametrize("kind", ["array", "version 2", "image"])
def test_opening_takes_place_in_the_thread_that_asks(tmp_path: Path, threads: set[str], kind: str) -> None:
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2 if kind == "version 2" else 3)
    group.create_array("0", data=VALUES)
    level: Any = {"multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}]}
    group.attrs.update(level if kind == "version 2" else {"ome": level})
    threads.clear()
    assert read_stack(tmp_path / "a.zarr" / ("0" if kind == "array" else "")).shape == VALUES.shape
    assert threads == {threading.current_thread().name}


def test_thread_that_runs_a_loop_of_its_own_can_read_and_write(stain_of: Callable[[], np.ndarray]) -> None:
    async def notebook() -> np.ndarray:
        return stain_of()

    np.testing.assert_array_equal(asyncio.run(notebook()), stain_of())


def test_many_chunks_are_left_to_the_threads_of_zarr(tmp_path: Path, threads: set[str]) -> None:
    values = np.arange(4 * 36 * 36).reshape(4, 36, 36)
    here = ArrayHere(zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(1, 6, 6)).async_array)
    me = {threading.current_thread().name}
    for key, is_mine in [
        ((0, slice(0, 24), slice(12, 36)), True),  # 4 by 4 chunks
        ((0, slice(1, 25), slice(12, 36)), False),  # 5 by 4
        ((0, slice(None), slice(None)), False),
        ((3, slice(30, None), slice(-1, None)), True),
    ]:
        threads.clear()
        np.testing.assert_array_equal(here[key], values[key])
        assert (threads == me) is is_mine
    assert here[0, 3:3, :].shape == (0, 36)


@pytest.mark.parametrize(("side", "is_mine"), [(1024, True), (1025, False)])
def test_large_chunks_are_left_to_the_threads_of_zarr(
    tmp_path: Path, threads: set[str], side: int, is_mine: bool
) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(2 * side, 2 * side), chunks=(side, side), dtype="float32")
    array[:2] = array[-2:] = 5
    threads.clear()
    assert ArrayHere(array.async_array)[:, :].sum() == 4 * 2 * side * 5  # of 16 MB, and a little more
    assert (threads == {threading.current_thread().name}) is is_mine


def test_windows_is_left_to_zarr(stain_of: Callable[[], np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise AssertionError("each loop takes a port")

    monkeypatch.setattr(zarr_here, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(asyncio, "Runner", refused)
    assert stain_of().any()


def test_several_threads_read_at_a_time(array: zarr.Array[Any]) -> None:
    here, found = ArrayHere(array.async_array), dict[int, np.ndarray]()

    def read(z: int) -> None:
        for _ in range(20):
            found[z] = np.asarray(here[z, :, :])

    threads = [threading.Thread(target=read, args=(z,)) for z in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[z] for z in range(3)]), VALUES)


def test_damaged_chunk_raises_as_zarr_does(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", data=VALUES, chunks=(1, 50, 70))
    (tmp_path / "a" / "c" / "1" / "0" / "0").write_bytes(b"no chunk")
    with pytest.raises(RuntimeError) as expected:
        array[1]
    with pytest.raises(RuntimeError) as caught:
        ArrayHere(array.async_array)[1, :, :]
    assert str(caught.value) == str(expected.value)


def test_interrupt_leaves_no_work_behind(array: zarr.Array[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zarr.storage.LocalStore, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ArrayHere(array.async_array)[0, :30, :40]  # 2 by 2 chunks
    np.testing.assert_array_equal(ArrayHere(array.async_array)[0, :30, :40], VALUES[0, :30, :40])


@pytest.fixture
def stains() -> np.ndarray:
    return np.random.default_rng(1).random((2, 3, 50, 70), np.float32)


def created(path: Path, shape: tuple[int, ...]) -> zarr.Array[Any]:
    return zarr.create_array(
        path, shape=shape, dtype="float32", chunks=(1, 1, 16, 32), compressors=CODEC, fill_value=0
    ).with_config({"write_empty_chunks": True})


def files_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_chunks_are_byte_for_byte_those_of_zarr(tmp_path: Path, stains: np.ndarray) -> None:
    stains[1, 1] = 0
    created(tmp_path / "zarr", stains.shape)[:] = stains
    created(tmp_path / "ours", stains.shape)
    for t, z in np.ndindex(2, 3):
        for box in ((slice(0, 32), slice(0, 70)), (slice(32, 50), slice(0, 32)), (slice(32, 50), slice(32, 70))):
            write_chunks(tmp_path / "ours", (16, 32), (t, z), box, stains[t, z][box])
    assert files_of(tmp_path / "ours") == files_of(tmp_path / "zarr")


def test_failed_write_leaves_the_former_chunk_and_no_other(
    tmp_path: Path, stains: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(tmp_path / "a", stains.shape)[:] = stains
    before = files_of(tmp_path / "a")

    def half(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(f"no room for {len(content)} bytes")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="no room"):
        write_chunks(tmp_path / "a", (16, 32), (0, 0), (slice(0, 16), slice(0, 32)), stains[0, 1, :16, :32])
    assert files_of(tmp_path / "a") == before


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (slice(0, 50), slice(0, 70), True),
        (slice(16, 48), slice(32, 64), True),
        (slice(48, 50), slice(64, 70), True),
        (slice(1, 16), slice(0, 32), False),
        (slice(0, 15), slice(0, 32), False),
        (slice(0, 16), slice(0, 69), False),
        (slice(0, 16), slice(31, 64), False),
    ],
)
def test_box_is_made_of_chunks(rows: slice, columns: slice, expected: bool) -> None:
    assert are_chunks((rows, columns), (16, 32), (50, 70)) is expected
