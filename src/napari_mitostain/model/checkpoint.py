"""Checkpoints: everything a training run needs to go on, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from napari_mitostain.errors import ModelError
from napari_mitostain.image.files import atomic_write


def save_checkpoint(
    path: Path, networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], progress: Mapping[str, Any]
) -> None:
    """Write networks, optimisers and progress; the file appears once it is complete.

    Parameters
    ----------
    path : Path
    networks, optimizers : mapping
        By name.
    progress : mapping
        JSON values, such as the epoch.
    """
    tensors = {
        f"{name}/{key}": value for name, network in networks.items() for key, value in network.state_dict().items()
    }
    for name, optimizer in optimizers.items():
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{number}/{key}": value for key, value in state.items()}
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    told = json.dumps(dict(progress))
    atomic_write(path, save(plain, {"progress": told, "digest": _digest(told, plain)}))


def load_checkpoint(
    path: Path, networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> dict[str, Any]:
    """Restore networks and optimisers, in place and in the layout of the networks, and return the progress.

    Raises
    ------
    ModelError
        If the file is damaged or belongs to other networks.
    """
    try:
        content = path.read_bytes()  # which takes any name, unlike safetensors
        metadata, tensors = _metadata(content), load(content)
        progress: dict[str, Any] = json.loads(metadata["progress"])
        if metadata.get("digest") not in (None, _digest(metadata["progress"], tensors)):  # older ones have none
            raise ValueError("other numbers than were written")
        for name, network in networks.items():
            network.load_state_dict(_under(tensors, name))
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(tensors, name).items():
                number, _, field = key.partition("/")
                state.setdefault(int(number), {})[field] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            _lay_out(optimizer)
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"Expected a checkpoint of this run in {path}, got a damaged file ({reason}); start a new run."
        ) from error
    return progress


def _metadata(content: bytes) -> dict[str, str]:
    """Return what a safetensors file says beside its tensors: its header is JSON, after eight bytes of its length."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return found


def _digest(told: str, tensors: Mapping[str, Tensor]) -> str:
    """Return what tells whether a checkpoint still holds the numbers that were written."""
    digest = hashlib.blake2b(told.encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _lay_out(optimizer: Optimizer) -> None:
    """Lay an optimiser's memory out as the weights are: a fused step pairs their numbers up as they lie there."""
    for parameter, memory in optimizer.state.items():
        for name, value in memory.items():
            if value.shape == parameter.shape:
                memory[name] = torch.empty_like(parameter).copy_(value)


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
