"""Write an image over several runs, or from several processes: what is finished is recorded with its digest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout
from numpy.typing import NDArray

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.atomic import write_at_once
from napari_mitostain.image.files.failures import writing
from napari_mitostain.image.files.records import Completion, Record, digest, is_as_recorded
from napari_mitostain.image.files.writer import StackWriter
from napari_mitostain.image.plane import Stack
from napari_mitostain.image.units import Unit

_PATIENCE_SECONDS = 1.0


class ResumableWriter:
    """A context manager that writes a stack unit by unit; made by `open_resumable`.

    The image grows in a hidden folder beside its place, whose name depends on everything the stain depends on, beside
    the pixels: model, settings, format, shape. So what another model has begun is never gone on with. Leaving the
    context normally gives the image its name, and keeps the records (see `Completion`). Leaving it by an exception
    keeps what is finished, for the next run; where nothing is, no folder stays.

    Attributes
    ----------
    folder : Path
        Where it grows.
    """

    def __init__(self, writer: StackWriter, like: Stack, folder: Path, task: str, identity: str) -> None:
        self._writer, self._like, self.folder, self._task, self._identity = writer, like, folder, task, identity
        self._records = folder / "finished"
        self._lock = FileLock(folder / "lock")

    def __enter__(self) -> Self:
        """Go on with what an earlier run has left, or begin."""
        with writing(self._writer.path):
            self._records.mkdir(parents=True, exist_ok=True)
            self._acquire()
            try:
                self._writer.begin()
            except BaseException:
                self._leave()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_complete = False
        try:
            if kind is None:
                self._writer.complete(self._seal)
                is_complete = True
        finally:
            self._leave(is_complete)

    @contextmanager
    def joined(self) -> Iterator[Self]:
        """Write units of an image that another process has begun and will complete."""
        with writing(self._writer.path):
            self._writer.join()
        try:
            yield self
        finally:
            self._writer.let_go()

    def record(self, unit: Unit) -> Record | None:
        """Return what an earlier run, or another process, recorded of a unit."""
        return Record.read(self._records / unit.name)

    def is_finished(self, unit: Unit, source: str) -> bool:
        """Tell whether a unit was finished, from pixels of the same digest, and is on the disk as it was written."""
        return is_as_recorded(self.record(unit), unit, source, self._writer, self._like)

    def write(self, unit: Unit, values: NDArray[Any], source: str) -> None:
        """Store and record a unit; `source` is the digest of what it was computed from.

        Raises
        ------
        ImageError, FileError
            As `StackWriter.write`.
        """
        stored = self._writer.write_box(self._like.stained_index(unit.plane), unit.box, values)
        record = Record(source, digest(stored), not values.any())
        with writing(self._writer.path):
            write_at_once(self._records / unit.name, json.dumps(asdict(record)).encode())

    def sweep(self) -> None:
        """Remove what a run has left that was killed just after it had completed the image."""
        if self.folder.exists():
            with suppress(Timeout), self._lock.acquire(timeout=0):
                shutil.rmtree(self.folder, ignore_errors=True)

    def _finished(self) -> dict[str, Record]:
        found = {path.name: Record.read(path) for path in self._records.iterdir() if not path.name.startswith(".")}
        return {name: record for name, record in found.items() if record is not None}

    def _seal(self) -> None:
        """Write down what is known of the image, which is about to get its name."""
        Completion(self._task, self._identity, self._finished()).keep(self._writer.path)

    def _acquire(self) -> None:
        try:
            self._lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout:
            raise FileError(
                f"Expected an output that nobody else writes, got {self._writer.path}, which another run is writing; "
                "wait for it or choose another name."
            ) from None

    def _leave(self, is_complete: bool = False) -> None:
        """Let go of the files, and keep the folder only while there is something in it to go on with."""
        self._writer.let_go()
        is_needed = not is_complete and self._has_work()
        self._lock.release()
        if not is_needed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _has_work(self) -> bool:
        """Tell whether anything is finished that took work."""
        return any(not record.is_empty for record in self._finished().values())


def unfinished(path: Path) -> list[Path]:
    """List the folders of stains of that name which were begun and not completed."""
    return sorted(path.parent.glob(f".{escape(path.name)}.partial-*"))
