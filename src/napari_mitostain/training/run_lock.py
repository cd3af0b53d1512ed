"""The lock of a run: one process trains it, and everyone can see whether one does. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from napari_mitostain.errors import TrainingError
from napari_mitostain.image.files.failures import writing

_NAME = ".lock"
_LOOK_SECONDS = 0.1
"""How long a look whether a run is running takes it for another look that has the lock."""

_PATIENCE_SECONDS = 1.0
"""How long a trainer waits for whoever only looks whether a run is running."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from training a run; the lock of a process that dies is free again.

    Raises
    ------
    TrainingError
        If another has it.
    FileError
        If the folder cannot be written.
    """
    lock = FileLock(folder / _NAME)
    with writing(folder):
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout as error:
            raise TrainingError(
                f"Expected a run that nobody else trains, got {folder}, which is being trained; stop it there first."
            ) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Tell whether a live process trains a run; nothing is made."""
    if not (folder / _NAME).exists():
        return False
    try:
        with FileLock(folder / _NAME).acquire(timeout=_LOOK_SECONDS, poll_interval=_LOOK_SECONDS / 10):
            return False
    except Timeout:
        return True
    except OSError:  # in a folder that is only read, nobody trains
        return False
