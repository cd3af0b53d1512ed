"""The training runs of this computer: where new ones go, and which there are. Loads no torch."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import platformdirs

from napari_mitostain.errors import FileError
from napari_mitostain.image.files import atomic_write
from napari_mitostain.image.files.failures import writing
from napari_mitostain.training.run import CONFIG

_UNUSABLE = re.compile(r'[\s\x00-\x1f<>:"/\\|?*]+')
"""What some file system does not take in a name."""


def runs_folder() -> Path:
    """Return the folder that new runs go to, in the platform's place for data."""
    return _data() / "runs"


def new_run_path(name: str, folder: Path | None = None) -> Path:
    """Return a folder that is not there yet: of this name, or with a number after it.

    Parameters
    ----------
    name : str
    folder : Path, optional
        That it is in; by default `runs_folder`.

    Raises
    ------
    FileError
        If no folder can have such a name, or the place may not be looked into.
    """
    folder = folder or runs_folder()
    stem = _UNUSABLE.sub(" ", name).strip(" .") or "run"
    path, number = folder / stem, 2
    while _is_taken(path):
        path, number = folder / f"{stem} {number}", number + 1
    return path


def remember(path: Path) -> None:
    """Note that a run lives in a folder, as the newest; where nothing can be noted, the run goes on without."""
    with contextlib.suppress(FileError, OSError):
        _known().mkdir(parents=True, exist_ok=True)
        atomic_write(_note(path), str(path.resolve()).encode("utf-8", "surrogateescape"))


def known_runs() -> list[Path]:
    """List the folders of runs that are still there, newest first."""
    notes = sorted(_known().glob("*.txt"), key=_written, reverse=True)
    return [path for note in notes if (path := _path_in(note)) is not None and _is_run(path)]


def forget(path: Path) -> None:
    """List a run no more; its folder stays as it is."""
    with contextlib.suppress(OSError):
        _note(path).unlink(missing_ok=True)


def _is_taken(path: Path) -> bool:
    with writing(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.stat()
        return True
    return False


def _is_run(path: Path) -> bool:
    """Whether a folder holds a run; one that may not be looked into does not."""
    with contextlib.suppress(OSError):
        return (path / CONFIG).is_file()
    return False


def _data() -> Path:
    return Path(platformdirs.user_data_dir("napari-mitostain"))


def _known() -> Path:
    return _data() / "known runs"


def _note(path: Path) -> Path:
    """Each run has a note of its own, so that two programs never overwrite each other's."""
    name = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return _known() / f"{name}.txt"


def _path_in(note: Path) -> Path | None:
    with contextlib.suppress(OSError):
        return Path(note.read_bytes().decode("utf-8", "surrogateescape"))
    return None


def _written(note: Path) -> int:
    with contextlib.suppress(OSError):
        return note.stat().st_mtime_ns
    return 0
