"""What writers of all formats share: planes in any order in, a complete file or none out."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.image.files.atomic import discard, partial_name, publish
from napari_mitostain.image.files.failures import reading, writing
from napari_mitostain.image.files.text import storable
from napari_mitostain.image.plane import Box, PlaneIndex, Stack


@cache
def this_software() -> str:
    """Return this package's name and version; looking it up takes a millisecond."""
    return f"napari-mitostain {version('napari-mitostain')}"


@dataclass(frozen=True)
class Provenance:
    """Where a written image comes from; recorded in the file, as far as a file can say it (see `storable`).

    Attributes
    ----------
    software : str
        Name and version, in ASCII.
    channel_name : str
        Such as "Mitochondria (digitally predicted)".
    description : str
        A sentence for people.
    details : mapping
        For programs: model, its hash, settings, source; what JSON does not know is recorded as text.
    """

    software: str
    channel_name: str
    description: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("software", "channel_name", "description"):
            object.__setattr__(self, name, storable(getattr(self, name)))

    @property
    def task(self) -> str:
        """A digest of all but the source: the images of a folder share it."""
        details = {key: value for key, value in self.details.items() if key != "source"}
        return hashlib.sha256(json.dumps([self.software, details], sort_keys=True, default=str).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the details as one JSON object."""
        return storable(json.dumps(dict(self.details), default=str, ensure_ascii=False))

    def to_text(self) -> str:
        """Return the sentence, and the details on a line below it."""
        return f"{self.channel_name}. {self.description}\n{self.to_json()}"


class StackWriter(ABC):
    """A context manager that writes a stack; made by `open_writer`.

    Leaving the context normally gives the file its name. Leaving it by an exception, an interrupt included, removes
    what was written, and a former file of that name stays as it was. Planes that were not written are zero.
    """

    dtype: np.dtype[Any] = np.dtype(np.float32)
    """Type that planes are handed to the format in."""

    def __init__(
        self, path: Path, like: Stack, provenance: Provenance, overwrite: bool, partial: Path | None = None
    ) -> None:
        self.path, self._like, self._provenance, self._overwrite = path, like, provenance, overwrite
        self._partial = partial_name(path) if partial is None else partial
        lengths = dict(zip(like.axes, like.stained_shape(), strict=True))
        self._axes = self._order(like.axes)
        self._shape = tuple(lengths[axis] for axis in self._axes)
        self._leading = [axis for axis in like.axes if axis not in "YX"]
        self._check()

    @staticmethod
    @abstractmethod
    def _order(axes: str) -> str:
        """Order the axes as the format can; Y and X come last."""

    def _check(self) -> None:  # noqa: B027  (a format may take anything)
        """Refuse, before anything is written, what the format or the place cannot take."""

    @abstractmethod
    def _start(self, partial: Path, /) -> None:
        """Make the file, without its pixels."""

    @abstractmethod
    def _open(self) -> None:
        """Open the partial file that was made, to write planes into it."""

    @abstractmethod
    def _put(self, position: PlaneIndex, box: Box, values: NDArray[Any], /) -> NDArray[Any]:
        """Store rows and columns of a plane at its position along the leading axes; returns what `_get` will give."""

    @abstractmethod
    def _get(self, position: PlaneIndex, box: Box, /) -> NDArray[Any]:
        """Return rows and columns of a plane as they are stored."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the partial file."""

    def _release(self) -> None:  # noqa: B027  (a format may keep no file open)
        """Let go of open files; called also when the work has failed."""

    def begin(self) -> None:
        """Make and open the partial file, or open the one that an earlier run has made."""
        with writing(self.path):
            if not self._partial.exists():
                fresh = self._partial.with_name(f".new-{self._partial.name}")
                discard(fresh)  # a run that was killed as it began
                self._start(fresh)
                fresh.rename(self._partial)
            self._open()

    def join(self) -> None:
        """Open the file that another process, or an earlier run, has made."""
        self._open()

    def write(self, index: PlaneIndex, plane: NDArray[Any]) -> None:
        """Store one plane.

        Parameters
        ----------
        index : tuple of int
            Position in the stain, in the order of the input's axes (`Stack.stained_index`).
        plane : ndarray
            (Y, X), stored as float32 (PNG: 16 bit; a copy: its own type).

        Raises
        ------
        ImageError
            If the plane or its position does not fit the stack.
        FileError
            If the disk is full, or refuses for another reason.
        """
        height, width = self._shape[-2:]
        self.write_box(index, (slice(0, height), slice(0, width)), plane)

    def write_box(self, index: PlaneIndex, box: Box, values: NDArray[Any]) -> NDArray[Any]:
        """Store rows and columns of a plane as `write` does, and return them as `read_box` will give them."""
        ordered, expected = self._position(index), tuple(side.stop - side.start for side in box)
        if values.shape != expected or any(not 0 <= i < n for i, n in zip(ordered, self._shape, strict=False)):
            raise ImageError(
                f"Expected planes of {self._shape[-2:]} in a stain of axes {self._axes} and shape {self._shape}, "
                f"got {values.shape} at {index}; check the stack."
            )
        with writing(self.path):
            return self._put(ordered, box, np.ascontiguousarray(values, dtype=self.dtype))

    def read_box(self, index: PlaneIndex, box: Box) -> NDArray[Any]:
        """Return rows and columns of a plane as they are stored."""
        with reading(self.path):
            return self._get(self._position(index), box)

    def complete(self, seal: Callable[[], None] | None = None) -> None:
        """Give the image its name; `seal` is called just before."""
        with writing(self.path):
            self._finish()
            self._release()
            if self.path.exists() and not self._overwrite:
                raise FileError(f"Expected a new file, {self.path} came to exist meanwhile; choose another name.")
            if seal is not None:
                seal()
            publish(self._partial, self.path)

    def let_go(self) -> None:
        """Close open files; also where a full disk does not take their buffers."""
        with suppress(OSError):
            self._release()

    def _position(self, index: PlaneIndex) -> PlaneIndex:
        """Bring a position in the stain from the order of the input's axes to that of the file."""
        position = dict(zip(self._leading, index, strict=True))
        return tuple(position[axis] for axis in self._axes[:-2])

    def __enter__(self) -> Self:
        discard(self._partial)  # of a process of this number that was killed
        try:
            self.begin()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.complete()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        """Remove the partial file, which `complete` has renamed if all went well."""
        self.let_go()
        discard(self._partial)
        discard(self._partial.with_name(f".new-{self._partial.name}"))
