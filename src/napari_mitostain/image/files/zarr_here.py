"""What zarr does, in the thread that asks for it.

zarr passes each of its steps on to another thread and waits for it, which costs a small chunk several times what it
takes, and lets all threads that read or write wait for one.
"""

from __future__ import annotations

import asyncio
import math
import os
from asyncio import Future
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from imagecodecs import blosc_encode
from numpy.typing import NDArray
from zarr import AsyncArray
from zarr.codecs import BloscCodec
from zarr.core.sync import sync

from napari_mitostain.image.files.atomic import write_at_once
from napari_mitostain.image.plane import Box, PlaneIndex

T = TypeVar("T")
Chunk = tuple[int, int]

_FEW, _SMALL = 16, 2**24
"""Chunks, and their bytes together; more are sooner fetched and decoded by several threads."""

CODEC = BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="bitshuffle")
"""Four times as fast as zarr's own choice; stains, which are rounded (`Predictor.stained`), take as little room."""


class ArrayHere:
    """A zarr array; few chunks are read by the thread that asks for them, more or large ones by those of zarr."""

    def __init__(self, array: AsyncArray[Any]) -> None:
        self._array, self.shape, self.chunks, self.dtype = array, array.shape, array.chunks, array.dtype
        self._most = min(_FEW, _SMALL // (math.prod(array.chunks) * array.dtype.itemsize))

    def __getitem__(self, key: tuple[int | slice, ...]) -> Any:
        """Read a part."""
        read = here if self._chunks_of(key) <= self._most else sync
        return read(self._array.getitem(key))

    def __setitem__(self, key: tuple[int | slice, ...], values: NDArray[Any]) -> None:
        """Write a part; what else is in its chunks is read first."""
        sync(self._array.setitem(key, values))

    def _chunks_of(self, key: tuple[int | slice, ...]) -> int:
        """Return how many chunks a part lies in."""
        spans = [
            range(*each.indices(size)) if isinstance(each, slice) else (each,)
            for each, size in zip(key, self.shape, strict=True)
        ]
        return math.prod(
            span[-1] // chunk - span[0] // chunk + 1 if span else 0
            for span, chunk in zip(spans, self.chunks, strict=True)
        )


def here(work: Coroutine[Any, Any, T]) -> T:
    """Do what zarr's asynchronous functions are to do in this thread; where it may not run a loop, in that of zarr."""
    if not _can_run_a_loop():
        return sync(work)
    with asyncio.Runner(loop_factory=_LoopHere) as runner:
        # not `run`, which in the main thread sets and gets a signal handler: that formats the array it returns, twice
        return runner.get_loop().run_until_complete(work)


def _can_run_a_loop() -> bool:
    """Tell whether this thread may run an event loop, which costs Windows a port for minutes.

    The thread of a notebook runs one already, and cannot run another.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return os.name != "nt"
    return False


class _LoopHere(asyncio.SelectorEventLoop):
    """An event loop that does at once what it is to pass on to other threads."""

    def __del__(self) -> None:
        with suppress(AttributeError):  # Ctrl-C has left it half made
            super().__del__()

    def run_in_executor(self, _: object, function: Callable[..., T], *args: Any) -> Future[T]:  # type: ignore[override]
        future: Future[T] = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def are_chunks(box: Box, chunk: Chunk, shape: tuple[int, ...]) -> bool:
    """Tell whether a box in a plane of a shape is made of whole chunks, those that the plane's end cuts included."""
    return all(
        side.start % length == 0 and (side.stop % length == 0 or side.stop == size)
        for side, length, size in zip(box, chunk, shape, strict=True)
    )


def write_chunks(array: Path, chunk: Chunk, position: PlaneIndex, box: Box, values: NDArray[np.float32]) -> None:
    """Write whole chunks of a plane as zarr does; each appears once it is complete.

    Parameters
    ----------
    array : Path
        Folder of an array of version 3, float32 in chunks of one plane, compressed by `CODEC`.
    chunk : tuple of int
        Height and width of a chunk.
    position : tuple of int
        Of the plane.
    box : tuple of slice
        For which `are_chunks` is true.
    values : ndarray of float32
        What comes there.

    Raises
    ------
    OSError
    """
    for number, part in _cut(values, chunk, box):
        file = array.joinpath("c", *map(str, (*position, *number)))
        file.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(file, _compressed(part))


def _compressed(numbers: Any) -> bytes | bytearray:
    """Compress as `CODEC` does, in this thread."""
    return blosc_encode(
        numbers,
        CODEC.clevel,
        compressor=CODEC.cname.value,
        shuffle=CODEC.shuffle.value,
        typesize=CODEC.typesize,
        numthreads=1,
    )


def _cut(values: NDArray[np.float32], chunk: Chunk, box: Box) -> Iterator[tuple[tuple[int, int], NDArray[np.float32]]]:
    """Yield the number and the numbers of each chunk in a box; one that the plane's end cuts goes on with zeros."""
    height, width = chunk
    for top, left in product(range(0, values.shape[0], height), range(0, values.shape[1], width)):
        part = values[top : top + height, left : left + width]
        if part.shape != chunk:
            part = np.pad(part, [(0, height - part.shape[0]), (0, width - part.shape[1])])
        number = (box[0].start + top) // height, (box[1].start + left) // width
        yield number, np.ascontiguousarray(part, "<f4")
