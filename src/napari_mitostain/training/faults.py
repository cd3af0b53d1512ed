"""What goes wrong while a run trains, as one sentence that says how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mitostain.errors import DeviceError, FileError, MitostainError
from napari_mitostain.model.device import is_out_of_memory

_LOST = (
    "cuda error",
    "device-side",
    "unspecified launch failure",
    "no cuda-capable device",
    "device is lost",
    "driver shutting down",
    "cudnn_status_execution_failed",
    "cublas_status_execution_failed",
    "nccl error",
    "connection closed by peer",
    "connection reset by peer",
)
"""What torch says of a GPU that has gone, and of a process of the same run that has."""


@contextmanager
def device_there(work: str) -> Iterator[None]:
    """Turn the loss of a GPU, or of memory on it, into a `DeviceError`.

    It may show long after the work that it befell, wherever the device is next waited for.

    Parameters
    ----------
    work : str
        What the device is needed for.
    """
    try:
        yield
    except MitostainError:  # some are RuntimeErrors, and have been said
        raise
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise DeviceError(
                f"Expected memory for {work}, got none left; close other programs and resume the run."
            ) from error
        text = " ".join(str(error).split()[:20])
        if not any(sign in str(error).lower() for sign in _LOST):
            raise
        raise DeviceError(
            f"Expected the device to go on with {work}, got its loss ({text}); restart the program and resume the run, "
            "which goes on from its last checkpoint."
        ) from error


@contextmanager
def folder_there(path: Path) -> Iterator[None]:
    """Say that the folder of a run is gone where a file in it cannot be written because of that."""
    try:
        yield
    except FileError as error:
        if path.is_dir():
            raise
        raise FileError(
            f"Expected the run's folder {path}, got none: it was deleted or renamed while the run trained; put it back "
            "and resume the run, or start a new one."
        ) from error
