"""Patches for training: random crops, flips, turns and intensities, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator as Random
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.training.pairs import Pair
from napari_mitostain.weighting import Statistics

Crop = tuple[int, int, int]
"""Number of the pair, first row, first column."""

_TRIES = 50
"""Draws after which a frame without enough mitochondria gives fewer crops."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches of one step.

    Attributes
    ----------
    brightfield, target : Tensor
        Scaled brightfield and fluorescence in [0, 1], both (B, 1, patch, patch) float32.
    measured : tuple of Statistics, optional
        What the weights of each sample's target are computed from; None if from the patch itself.
    """

    brightfield: Tensor
    target: Tensor
    measured: tuple[Statistics, ...] | None = None

    def to(self, device: torch.device) -> Batch:
        """Move the patches to a device, in the memory layout its convolutions prefer."""
        brightfield, target = (
            part.to(device).contiguous(memory_format=torch.channels_last) for part in (self.brightfield, self.target)
        )
        return Batch(brightfield, target, self.measured)


def batches_of_epoch(pairs: Sequence[Pair], settings: TrainSettings, epoch: int) -> Iterator[Batch]:
    """Yield the batches of an epoch; the same seed and epoch give the same batches, wherever a run resumes.

    Parameters
    ----------
    pairs : sequence of Pair
        Frames no smaller than a patch.
    settings : TrainSettings
    epoch : int

    Yields
    ------
    Batch
    """
    random = np.random.default_rng([settings.seed, epoch])
    crops = crops_of_epoch(pairs, settings, random)
    for start in range(0, len(crops), settings.batch_size):
        chosen = crops[start : start + settings.batch_size]
        patches = [np.stack(_augmented(*_cut(pairs, crop, settings.patch), random)) for crop in chosen]
        stacked = torch.from_numpy(np.stack(patches)[:, :, None])  # (B, 2, 1, patch, patch)
        measured = [pairs[number].measured for number, _, _ in chosen]
        known = tuple(own for own in measured if own is not None)
        yield Batch(stacked[:, 0], stacked[:, 1], known if len(known) == len(measured) else None)


def steps_per_epoch(pairs: Sequence[Pair], settings: TrainSettings) -> int:
    """Count the batches of an epoch at most; the area rule may drop a few."""
    crops = sum(_crops_of(pair, settings) for pair in pairs)
    return -(-crops // settings.batch_size)


def crops_of_epoch(pairs: Sequence[Pair], settings: TrainSettings, random: Random) -> list[Crop]:
    """Draw the crops of every frame and shuffle them; those with too little mitochondrial area are drawn again.

    Mitochondrial area are the pixels of at least mean + 1 standard deviation of the whole frame. A frame of the
    patch's own size is taken as it is.

    Raises
    ------
    TrainingError
        If no frame has a crop with enough mitochondria.
    """
    crops: list[Crop] = []
    for number, pair in enumerate(pairs):
        free = [length - settings.patch for length in pair.target.shape]
        if not any(free):
            crops.append((number, 0, 0))
            continue
        bright = pair.target >= pair.target.mean() + pair.target.std()
        kept = 0
        for _ in range(_TRIES * settings.crops_per_frame):
            row, column = (int(random.integers(0, room + 1)) for room in free)
            area = bright[row : row + settings.patch, column : column + settings.patch].mean()
            if area >= settings.minimum_area:
                crops.append((number, row, column))
                kept += 1
            if kept == settings.crops_per_frame:
                break
    if not crops:
        raise TrainingError(
            f"Expected crops of which {settings.minimum_area:.0%} are mitochondria, got none; "
            "lower the minimum area or choose another patch."
        )
    return [crops[i] for i in random.permutation(len(crops))]


def _crops_of(pair: Pair, settings: TrainSettings) -> int:
    return settings.crops_per_frame if max(pair.target.shape) > settings.patch else 1


def _cut(pairs: Sequence[Pair], crop: Crop, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    number, row, column = crop
    box = slice(row, row + side), slice(column, column + side)
    return pairs[number].brightfield[box], pairs[number].target[box]


def _augmented(
    brightfield: NDArray[np.float32], target: NDArray[np.float32], random: Random
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn and flip both; vary contrast and noise of the brightfield patch only."""
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    brightfield, target = (np.rot90(patch, turns) for patch in (brightfield, target))
    if flip:
        brightfield, target = brightfield[:, ::-1], target[:, ::-1]
    contrast = np.float32(np.exp(random.normal(0, 0.2)))
    noise = random.standard_normal(brightfield.shape, np.float32) * np.float32(random.uniform(0, 0.15))
    return brightfield * contrast + noise, target
