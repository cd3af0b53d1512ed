"""Several processes that train one model together, one for each GPU, as ``torchrun`` starts them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
from torch import Tensor
from torch import distributed as dist

from napari_mitostain.errors import DeviceError
from napari_mitostain.training.patches import Batch

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the first one validates alone."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run, and which of them this is.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and of all of them. Only the first writes files and says events.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """Return this process's samples of a batch; there may be none."""
        if self.size == 1:
            return batch
        own = slice(self.rank, None, self.size)
        measured = None if batch.measured is None else batch.measured[own]
        return replace(batch, brightfield=batch.brightfield[own], target=batch.target[own], measured=measured)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, all of them in one exchange."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.detach().flatten().float() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(total.view(tensor.shape))

    def agree(self, value: float, device: torch.device) -> float:
        """Return the first process's value in all of them."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        dist.broadcast(shared, src=0)
        return float(shared)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            dist.barrier()


ALONE = World()


def is_first_process() -> bool:
    """Tell whether this process is to write, before it has joined the others that ``torchrun`` may have started."""
    return not _has_others() or os.environ["RANK"] == "0"


def _has_others() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Join the processes that ``torchrun`` started, if it did, and leave them in the end.

    Parameters
    ----------
    device : torch.device
        What to train on; each process on a machine with GPUs gets one of its own.

    Raises
    ------
    DeviceError
        If there are fewer GPUs than processes.
    """
    if not _has_others():
        yield ALONE, device
        return
    if device.type == "cuda":
        device = _own_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    _import_what_takes_the_group()
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield World(dist.get_rank(), dist.get_world_size()), device
    finally:
        dist.destroy_process_group()


def _import_what_takes_the_group() -> None:
    """Import now the module whose functions take the group that there is when it is imported as their default.

    A step imports it by way of the optimiser. From then on the group outlives `destroy_process_group`, and its threads
    the interpreter, which now and then ends in an abort (pytorch/pytorch#190489).
    """
    importlib.import_module("torch.distributed.nn.functional")


def _own_gpu(number: int) -> torch.device:
    if number >= torch.cuda.device_count():
        raise DeviceError(
            f"Expected a GPU for each process, got {torch.cuda.device_count()} GPU(s) and a process {number}; start "
            "torchrun with fewer processes."
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)
