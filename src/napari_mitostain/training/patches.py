"""Patches for training: random crops, flips, turns, shapes and intensities, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator as Random
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import TrainSettings
from napari_mitostain.training.area import allowed_corners
from napari_mitostain.training.pair import Frame, Frames, Pair, bytes_of
from napari_mitostain.training.warping import warped
from napari_mitostain.weighting import Statistics

_TRIES = 20
"""Draws after which all positions of a frame are looked at; where many will do, that costs more than it saves."""

_GROUP_SHARE = 0.5
"""Part of the memory for frames that those of one group take: the next group is read while one is used."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Patches of one step.

    Attributes
    ----------
    brightfield, target : Tensor
        Scaled brightfield and fluorescence in [0, 1], both (B, 1, patch, patch) float32.
    measured : tuple of Statistics, optional
        What the weights of each sample's target are computed from; None if from the patch itself.
    number : int
        Position within its epoch.
    """

    brightfield: Tensor
    target: Tensor
    measured: tuple[Statistics, ...] | None = None
    number: int = 0

    def to(self, device: torch.device) -> Batch:
        """Move the patches to a device, in the memory layout its convolutions prefer."""
        brightfield, target = (
            _moved(part, device).contiguous(memory_format=torch.channels_last)
            for part in (self.brightfield, self.target)
        )
        return replace(self, brightfield=brightfield, target=target)


def _moved(part: Tensor, device: torch.device) -> Tensor:
    """Move patches without waiting for a GPU's former work, which memory that may be swapped out would have to."""
    return part.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else part.to(device)


def batches_of_epoch(
    pairs: Sequence[Pair], settings: TrainSettings, epoch: int, frames: Frames, first: int = 0
) -> Iterator[Batch]:
    """Yield the batches of an epoch; the same seed and epoch give the same batches, wherever a run resumes.

    Parameters
    ----------
    pairs : sequence of Pair
        No smaller than a patch.
    settings : TrainSettings
    epoch : int
    frames : Frames
        What the pairs are read through.
    first : int
        Number of the batch to begin with; those before it are not read.

    Yields
    ------
    Batch
        A frame without any place for a crop with enough mitochondria gives none, so a batch may be smaller, or left
        out; `check_pairs` keeps such frames out of what trains.
    """
    order = _order(pairs, settings, epoch, frames.memory)
    for number in range(first, steps_per_epoch(pairs, settings)):
        random = np.random.default_rng([settings.seed, epoch, number])
        chosen = [pairs[i] for i in order[number * settings.batch_size :][: settings.batch_size]]
        crops = [(pair, _crop(frames[pair], settings, random)) for pair in chosen]
        patches = [(np.stack(_augmented(crop, settings, random)), pair) for pair, crop in crops if crop is not None]
        if patches:
            stacked = torch.from_numpy(np.stack([patch for patch, _ in patches])[:, :, None])  # (B, 2, 1, patch, patch)
            known = tuple(pair.measured for _, pair in patches if pair.measured is not None)
            yield Batch(stacked[:, 0], stacked[:, 1], known if len(known) == len(patches) else None, number)


def steps_per_epoch(pairs: Sequence[Pair], settings: TrainSettings) -> int:
    """Count the batches of an epoch at most; the area rule may drop a few."""
    crops = sum(_crops_of(pair, settings) for pair in pairs)
    return -(-crops // settings.batch_size)


def _order(pairs: Sequence[Pair], settings: TrainSettings, epoch: int, memory: int) -> list[int]:
    """Return the numbers of the pairs that an epoch's crops are taken from.

    Pairs that fit into memory are mixed freely. Of others, an epoch goes through groups that do fit, drawn anew each
    time, so that each frame is read once and not for every one of its crops.
    """
    random = np.random.default_rng([settings.seed, epoch])
    order: list[int] = []
    for group in _groups(pairs, random, memory):
        numbers = [number for number in group for _ in range(_crops_of(pairs[number], settings))]
        order += random.permutation(numbers).tolist()
    return order


def _groups(pairs: Sequence[Pair], random: Random, memory: int) -> list[list[int]]:
    if sum(map(bytes_of, pairs)) <= memory:
        return [list(range(len(pairs)))]
    groups, room = list[list[int]](), 0.0
    for number in random.permutation(len(pairs)).tolist():
        size = bytes_of(pairs[number])
        if not groups or size > room:
            groups.append([])
            room = _GROUP_SHARE * memory
        groups[-1].append(number)
        room -= size
    return groups


def _crops_of(pair: Pair, settings: TrainSettings) -> int:
    return settings.crops_per_frame if max(pair.shape) > settings.patch else 1


def _crop(frame: Frame, settings: TrainSettings, random: Random) -> Frame | None:
    """Cut a patch out of a frame, each position that holds enough mitochondria being as likely; None if none does."""
    side = settings.patch
    free = [length - side for length in frame.target.shape]
    for _ in range(_TRIES):
        corner = [int(random.integers(0, room + 1)) for room in free]
        crop = _patch(frame, corner, side)
        if not any(free) or (crop.target >= frame.threshold).mean() >= settings.minimum_area:
            return crop
    corners = np.argwhere(allowed_corners(frame, side, settings.minimum_area))
    return _patch(frame, random.choice(corners).tolist(), side) if len(corners) else None


def _patch(frame: Frame, corner: Sequence[int], side: int) -> Frame:
    row, column = corner
    return frame.cut((slice(row, row + side), slice(column, column + side)))


def _augmented(crop: Frame, settings: TrainSettings, random: Random) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn, flip and warp both images; vary contrast and noise of the brightfield only."""
    brightfield, target = crop.brightfield, crop.target
    if settings.turns:
        turns, flip = int(random.integers(4)), bool(random.integers(2))
        brightfield, target = (np.rot90(patch, turns) for patch in (brightfield, target))
        if flip:
            brightfield, target = brightfield[:, ::-1], target[:, ::-1]
    if settings.warp:
        brightfield, target = warped(brightfield, target, random)
    if settings.intensity:
        contrast = np.float32(np.exp(random.normal(0, 0.2)))
        noise = random.standard_normal(brightfield.shape, np.float32) * np.float32(random.uniform(0, 0.15))
        brightfield = brightfield * contrast + noise
    return brightfield, target
