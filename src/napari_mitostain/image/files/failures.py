"""What goes wrong with a file, as one sentence: `FileError` instead of whatever a library raises."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mitostain.errors import FileError, MitostainError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any failure of the block into a `FileError` about the file that is read.

    Damaged files make their libraries raise nearly everything (struct.error, KeyError, MemoryError, codec errors),
    hence the broad clause; our own errors already say what is wrong.
    """
    try:
        yield
    except MitostainError:
        raise
    except Exception as error:
        raise FileError(
            f"Expected a readable image, got {path} ({_reason(error)}); {_advice_to_read(error)}."
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal into a `FileError` about the file that is written."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Expected to write {path}, got {_reason(error)}; {_advice_to_write(error)}.") from error


def _advice_to_read(error: Exception) -> str:
    return "get the right to read it" if isinstance(error, PermissionError) else "check the file or copy it again"


def _advice_to_write(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "make room or choose another folder"
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "choose a place that is not inside a file"
    return "choose a folder that you may write to" if isinstance(error, PermissionError) else "choose another name"


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".;") or type(error).__name__
