"""Which files of a folder of stains are finished: a rerun goes on with the others, and proves these the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from napari_mitostain.image.files import Provenance, atomic_write
from napari_mitostain.image.files.failures import reading, writing

_FOLDER = ".mitostain"
_BYTES = 2**20


class FinishedFiles:
    """The records of a folder of stains, one hidden file for each stain.

    A record names the task (model, settings, where it was computed), and holds digests of the source and of the stain,
    as they lie on the disk. It is written when a stain is complete and has not got its name yet: so a file without one,
    or with another digest, is never one of ours.
    """

    def __init__(self, folder: Path, provenance: Provenance) -> None:
        self.folder = folder
        details = {key: value for key, value in provenance.details.items() if key != "source"}
        text = json.dumps([provenance.software, details], sort_keys=True, default=str)
        self._task = hashlib.sha256(text.encode()).hexdigest()

    def is_ours(self, output: Path) -> bool:
        """Tell whether a stain of this name was finished for the same task."""
        return self._read(output).get("task") == self._task

    def is_finished(self, source: Path, output: Path) -> bool:
        """Tell whether a stain is finished, and both it and its source are on the disk as they were then.

        Raises
        ------
        FileError
            If one of them cannot be read.
        """
        found = self._read(output)
        with reading(output):
            if found.get("task") != self._task or not output.exists():
                return False
        return found.get("source") == digest_of(source) and found.get("stain") == digest_of(output)

    def finish(self, source: Path, output: Path, complete: Path) -> None:
        """Record that a stain is finished, as it is about to get its name.

        Parameters
        ----------
        source : Path
        output : Path
            The name that it will have.
        complete : Path
            Where it lies.

        Raises
        ------
        FileError
            If a file cannot be read, or the folder not be written.
        """
        record = {"task": self._task, "source": digest_of(source), "stain": digest_of(complete)}
        path = self._path(output)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(record).encode())

    def _path(self, output: Path) -> Path:
        return self.folder / _FOLDER / f"{output.name}.json"

    def _read(self, output: Path) -> dict[str, str]:
        try:
            found = json.loads(self._path(output).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names.

    Raises
    ------
    FileError
        If one cannot be read.
    """
    found = hashlib.sha256()
    with reading(path):
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
