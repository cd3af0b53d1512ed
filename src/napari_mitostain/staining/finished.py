"""Which files of a folder of stains are finished: a rerun goes on with the others, and proves these the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from napari_mitostain.image.files import Provenance, atomic_write
from napari_mitostain.image.files.failures import writing

_FOLDER = ".mitostain"
_BYTES = 2**20


class FinishedFiles:
    """The records of a folder of stains, one hidden file for each stain.

    A record names the task (model, settings, where it was computed); that of a finished file also holds digests of the
    source and of the stain, as they lie on the disk. It is written as a file is begun, so that a stain which got its
    name just before a kill is known for one of ours.
    """

    def __init__(self, folder: Path, provenance: Provenance) -> None:
        self.folder = folder
        details = {key: value for key, value in provenance.details.items() if key != "source"}
        text = json.dumps([provenance.software, details], sort_keys=True, default=str)
        self._task = hashlib.sha256(text.encode()).hexdigest()

    def is_ours(self, output: Path) -> bool:
        """Tell whether a stain was begun, or finished, for the same task."""
        return self._read(output).get("task") == self._task

    def is_begun(self, output: Path) -> bool:
        """Tell whether a stain was begun for the same task, and not recorded as finished."""
        return self.is_ours(output) and "stain" not in self._read(output)

    def is_finished(self, source: Path, output: Path) -> bool:
        """Tell whether a stain is finished, and both it and its source are on the disk as they were then."""
        found = self._read(output)
        if found.get("task") != self._task or "stain" not in found or not output.exists():
            return False
        return found["source"] == digest_of(source) and found["stain"] == digest_of(output)

    def begin(self, output: Path) -> None:
        """Record that a stain is begun.

        Raises
        ------
        FileError
            If the folder cannot be written.
        """
        self._write(output, {"task": self._task})

    def finish(self, source: Path, output: Path) -> None:
        """Record that a stain is finished."""
        self._write(output, {"task": self._task, "source": digest_of(source), "stain": digest_of(output)})

    def forget(self, output: Path) -> None:
        """Drop the record of a stain that was begun and could not be finished."""
        if self.is_begun(output):
            self._path(output).unlink(missing_ok=True)

    def _path(self, output: Path) -> Path:
        return self.folder / _FOLDER / f"{output.name}.json"

    def _read(self, output: Path) -> dict[str, str]:
        try:
            found = json.loads(self._path(output).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, output: Path, record: dict[str, str]) -> None:
        path = self._path(output)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(record).encode())


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names."""
    found = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            found.update(str(file.relative_to(path)).encode(errors="surrogateescape"))
            for block in _blocks(file):
                found.update(block)
    return found.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BYTES):
            yield block
