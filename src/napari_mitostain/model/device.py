"""Which device and which precision to compute with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from math import inf
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

from napari_mitostain.config import Device, Precision, StainPrecision, StainSettings, TrainSettings
from napari_mitostain.errors import DeviceError

S = TypeVar("S")
T = TypeVar("T")

Images = NDArray[Any] | Tensor
"""Images in the memory that they are computed in: of the processor, or of a GPU."""

_HELPERS, _HELD = 8, 2**28
"""Threads that help at most, and the bytes that they hold together."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""What CUDA, torch on Linux, torch on Windows, and cuDNN and cuBLAS say."""


def available_devices() -> list[Device]:
    """List the devices of this machine, best first; "cpu" is always there."""
    devices: list[Device] = []
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def gpu_count() -> int:
    """Return how many CUDA GPUs this process sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def choose_device(wanted: Device = "auto") -> torch.device:
    """Return the wanted device, or the best one for "auto".

    Raises
    ------
    DeviceError
        If the wanted device is not there.
    """
    devices = available_devices()
    if wanted == "auto":
        return torch.device(devices[0])
    if wanted not in devices:
        raise DeviceError(f"Expected a device among {', '.join(devices)}, got {wanted}; choose one of them or auto.")
    return torch.device(wanted)


def choose_dtype(wanted: Precision, device: torch.device) -> torch.dtype:
    """Return the floating-point type to run a network in.

    "auto" takes bfloat16 where the hardware multiplies it natively, which is about twice as fast; a processor
    without such instructions would emulate it slowly.

    Parameters
    ----------
    wanted : {"auto", "float32", "bfloat16"}
    device : torch.device
    """
    if wanted == "auto":
        return torch.bfloat16 if _multiplies_bfloat16(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def choose_stain_dtype(wanted: StainPrecision, device: torch.device) -> torch.dtype:
    """Return the floating-point type to stain in.

    "auto" takes float16 on a CUDA GPU with tensor cores, where its convolutions are faster than those of bfloat16 and
    its error is a twentieth; elsewhere what `choose_dtype` takes.
    """
    if wanted == "auto" and device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return torch.float16
    return torch.float16 if wanted == "float16" else choose_dtype(wanted, device)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def as_trained(settings: TrainSettings) -> StainSettings:
    """Return settings to stain in the type that training computes in; the range of float16 may be too small for it."""
    dtype = choose_dtype(settings.precision, choose_device(settings.device))
    return StainSettings(settings.device, "bfloat16" if dtype == torch.bfloat16 else "float32")


def helping_threads(device: torch.device, bytes_each: float) -> int:
    """Return how many threads are to read or write beside a device; a processor's cores have nothing left for any.

    Each holds so many bytes; one thread there is in any case.
    """
    return 0 if device.type == "cpu" else verifying_threads(bytes_each)


def verifying_threads(bytes_each: float) -> int:
    """Return how many threads are to read where nothing is computed meanwhile."""
    return max(1, min(_HELPERS, torch.get_num_threads(), int(_HELD / bytes_each)))


def with_threads(function: Callable[[S], T], threads: int) -> Callable[[S], T]:
    """Return a function in which torch computes with so many threads, whichever thread calls it.

    `torch.set_num_threads` would change the number for all threads that are still to begin.
    """
    openmp = _openmp()

    def limited(item: S) -> T:
        torch.get_num_threads()  # a thread that is new to torch gets its number here, and not after the next line
        with openmp.limit(limits=threads):
            return function(item)

    return limited


@cache
def _openmp() -> ThreadpoolController:
    """Return what sets the number of OpenMP's threads; those of other libraries are one number for all threads."""
    return ThreadpoolController().select(user_api="openmp")


@cache
def streams_of(device: torch.device) -> tuple[torch.cuda.Stream, torch.cuda.Stream] | None:
    """Return what a CUDA GPU scales on, and what it sends stains with, while it computes others; None for others.

    They are the same for all, since memory that was used on one stream is kept for that stream.
    """
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def free_memory(device: torch.device) -> float:
    """Return the bytes that a device has left, infinity where it does not tell.

    What this process holds in reserve counts as left.
    """
    if device.type != "cuda":
        return inf
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return float(torch.cuda.mem_get_info(device)[0] + reserve)


def release_memory(device: torch.device) -> None:
    """Give memory that is not used any more back to the device; nothing to one that is lost."""
    with suppress(RuntimeError):  # it would hide the error that says so
        if device.type == "cuda":
            torch.cuda.empty_cache()
        elif device.type == "mps":
            torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that the device's memory was not enough."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _OUT_OF_MEMORY)
