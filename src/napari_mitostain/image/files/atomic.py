"""Files and folders that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from napari_mitostain.image.files.failures import writing


def partial_name(path: Path) -> Path:
    """Return the hidden name, in the same folder and with the same suffix, that `path` has while it is written."""
    return path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")


def publish(partial: Path, path: Path) -> None:
    """Give what is complete its name; a file or folder of that name survives until then."""
    if not path.is_dir():
        partial.replace(path)
        return
    former = path.with_name(f".{path.stem}.former-{os.getpid()}{path.suffix}")
    path.rename(former)  # a folder that is not empty cannot be replaced in one step
    try:
        partial.rename(path)
    except BaseException:
        former.rename(path)
        raise
    shutil.rmtree(former, ignore_errors=True)


def discard(path: Path) -> None:
    """Remove a file or a folder that is not wanted any more, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_at_once(path: Path, content: bytes | bytearray) -> None:
    """Write a file, which others may be writing too, so that it is never seen in parts; a power cut may lose it.

    Raises
    ------
    OSError
        If it cannot be written; what was there before stays.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        discard(partial)
        raise


def atomic_write(path: Path, content: bytes) -> None:
    """Write a small file that appears under its name only when it is complete.

    Raises
    ------
    FileError
        If it cannot be written; what was there before stays.
    """
    partial = partial_name(path)
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # else a power cut could leave the name on a file without its bytes
            publish(partial, path)
        except BaseException:
            discard(partial)
            raise
