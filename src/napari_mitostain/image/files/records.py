"""What is known of the finished units of an image: how a rerun proves that they are what it would write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.atomic import write_at_once
from napari_mitostain.image.files.failures import reading, writing
from napari_mitostain.image.files.writer import StackWriter
from napari_mitostain.image.plane import Stack
from napari_mitostain.image.units import Unit

_FOLDER = ".mitostain"

DIGESTS = "XXH3, 128 bits"
"""What digests are of: they find accidents, and keep up with memory."""


def digest(values: NDArray[Any]) -> str:
    """Return a digest of an array's numbers, in C order; see `DIGESTS`."""
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(values).data)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a finished unit.

    Attributes
    ----------
    source : str
        Digest of the pixels that it was computed from.
    stain : str
        Digest of the pixels that were written.
    is_empty : bool
        Whether the stain is zero everywhere, as that of a constant plane is.
    """

    source: str
    stain: str
    is_empty: bool

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read what `write` wrote; None if there is nothing whole."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):  # absent, or cut off by a power cut
            return None


@dataclass(frozen=True, slots=True)
class Completion:
    """What is known of a complete image; lies in a hidden folder beside it.

    Attributes
    ----------
    task : str
        Digest of everything that the stains of a folder have in common: model, settings, where it was computed.
    identity : str
        Digest of everything that it depends on beside the pixels.
    units : mapping of str to Record
    """

    task: str
    identity: str
    units: Mapping[str, Record]

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return what is known of the image of a name; None if it is not there, or nobody has completed it here."""
        try:
            found = json.loads(_place(path).read_bytes()) if path.exists() else {}
            units = {name: Record(**record) for name, record in found["units"].items()}
            return cls(found["task"], found["identity"], units)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # absent, or changed by somebody
            return None

    def keep(self, path: Path) -> None:
        """Write it down for an image that is about to get this name.

        Raises
        ------
        FileError
        """
        with writing(path):
            _place(path).parent.mkdir(exist_ok=True)
            write_at_once(_place(path), json.dumps(asdict(self)).encode())


class CompleteImage:
    """A context manager that reads an image which an earlier run has completed; made by `open_complete`."""

    def __init__(self, writer: StackWriter, like: Stack, units: Mapping[str, Record]) -> None:
        self.path, self._writer, self._like, self._units = writer.path, writer, like, units

    def __enter__(self) -> Self:
        """Open it.

        Raises
        ------
        FileError
            If it cannot be read, or is of another kind by now.
        """
        with reading(self._writer.path):
            self._writer.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.let_go()

    def is_finished(self, unit: Unit, source: str) -> bool:
        """Tell whether a unit was computed from pixels of this digest, and is on the disk as it was written."""
        return is_as_recorded(self._units.get(unit.name), unit, source, self._writer, self._like)


def is_as_recorded(found: Record | None, unit: Unit, source: str, writer: StackWriter, like: Stack) -> bool:
    """Tell whether a record is of pixels of this digest, and of what is on the disk; what cannot be read is not."""
    if found is None or found.source != source:
        return False
    try:
        return found.stain == digest(writer.read_box(like.stained_index(unit.plane), unit.box))
    except FileError:
        return False


def _place(path: Path) -> Path:
    return path.parent / _FOLDER / f"{path.name}.json"
