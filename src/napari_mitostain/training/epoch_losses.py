"""Means of an epoch's losses, added up on the device so that no step waits for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from napari_mitostain.training.step import LOSSES


class EpochLosses:
    """Running sums of the losses of an epoch.

    Parameters
    ----------
    device : torch.device
        Where steps give their losses.
    sums : sequence of float
        Of the epoch's steps before a checkpoint; empty for none.
    count : int
        Of those steps.
    """

    def __init__(self, device: torch.device, sums: Sequence[float] = (), count: int = 0) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._sums = torch.tensor(list(sums) or [0.0] * len(LOSSES), dtype=dtype, device=device)
        self.count = count

    def add(self, losses: Tensor) -> None:
        """Add the losses of a step, see `train_step`."""
        self._sums += losses
        self.count += 1

    def sums(self) -> list[float]:
        """Return the sums; waits for the device."""
        found: list[float] = self._sums.tolist()
        return found

    def are_finite(self) -> bool:
        """Tell whether all losses so far were numbers; waits for the device."""
        return all(map(math.isfinite, self.sums()))

    def means(self) -> dict[str, float]:
        """Return the mean of each loss by its name; waits for the device."""
        return {name: total / max(1, self.count) for name, total in zip(LOSSES, self.sums(), strict=True)}
