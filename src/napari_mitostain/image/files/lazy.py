"""Arrays that stay in their file until a part of them is asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_mitostain.image.files.failures import reading


class Source(Protocol):
    """What a `FileArray` reads from, such as a zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""

    def __getitem__(self, key: tuple[int | slice, ...], /) -> Any: ...


class FileArray:
    """An array in a file: indexing it with integers and slices loads that part, any failure is a `FileError`.

    Parameters
    ----------
    path : Path
        The file, for the error's sentence.
    source : Source
    dropped : tuple of int
        Axes of the source, each of length 1, that this array goes without.
    opened : callable
        Returns a context manager within which the source can be read.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        dropped: tuple[int, ...] = (),
        opened: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._path, self._source, self._dropped, self._opened = path, source, dropped, opened
        self.shape = tuple(int(length) for axis, length in enumerate(source.shape) if axis not in dropped)
        self.dtype = np.dtype(source.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: int | slice | tuple[int | slice, ...]) -> NDArray[Any]:
        given = list(key) if isinstance(key, tuple) else [key]
        wanted: list[int | slice] = given + [slice(None)] * (self.ndim - len(given))
        for axis in self._dropped:
            wanted.insert(axis, 0)
        with reading(self._path), self._opened():
            return np.asarray(self._source[tuple(wanted)])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[()], dtype=dtype)
