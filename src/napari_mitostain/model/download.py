"""Stains on their way from where they are computed to the processor's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.errors import DeviceError


class Fetched(Protocol):
    """A stain that was sent for."""

    def values(self) -> NDArray[np.float32]:
        """Wait for it."""
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """A stain that is in the processor's memory, and what tells whether it is finite."""

    stain: NDArray[np.float32]
    is_finite: bool

    def values(self) -> NDArray[np.float32]:
        """Return it; `DeviceError` if it is not finite."""
        return _checked(self.stain, self.is_finite)


class Download:
    """A stain that a CUDA GPU sends while it goes on with what comes next.

    Parameters
    ----------
    stain : Tensor
        Of any shape, float32, on the GPU; nothing needs to have been computed yet.
    stream : torch.cuda.Stream
        What sends it.
    """

    def __init__(self, stain: Tensor, stream: torch.cuda.Stream) -> None:
        sent = [stain.contiguous(), stain.isfinite().all()]
        stream.wait_stream(torch.cuda.current_stream(stain.device))
        with torch.cuda.stream(stream):
            self._stain, self._is_finite = (_sent(each, stream) for each in sent)
            self._arrived = stream.record_event()

    def values(self) -> NDArray[np.float32]:
        """Wait for the stain and return it.

        Raises
        ------
        DeviceError
            If it is not finite: the network's numbers were too large for its type.
        """
        self._arrived.synchronize()
        return _checked(self._stain.numpy(), bool(self._is_finite))


def _checked(stain: NDArray[np.float32], is_finite: bool) -> NDArray[np.float32]:
    if not is_finite:
        raise DeviceError(
            "Expected a stain of finite numbers, got others: this model's are too large for the precision; choose "
            "float32."
        )
    return stain


def _sent(source: Tensor, stream: torch.cuda.Stream) -> Tensor:
    """Copy to memory that a GPU reaches by itself, and keep the source's from being used anew before that is done."""
    source.record_stream(stream)
    return torch.empty(source.shape, dtype=source.dtype, pin_memory=True).copy_(source, non_blocking=True)
