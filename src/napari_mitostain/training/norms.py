"""Batch-norm statistics of a generator that trains: estimated when it is to be used, not gathered on the way.

Running statistics, which batch norm keeps by itself, are those of networks that the generator was some steps ago, of
augmented images; at a batch of one they are noise besides, and those of a moving average of weights belong to no
network at all. An estimate over patches that stay the same has none of these faults.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import nn

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Event, Measured
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.patches import Batch, batches_of_epoch

_PATCHES = 32
_BATCHES = 4
"""At least so many patches, and so many batches of them."""

_EPOCH = 2**31
"""Number of an epoch that no run comes to: its patches are the estimate's."""


def keep_still(network: nn.Module) -> None:
    """Let training leave the statistics of a network's batch norms as they are."""
    for norm in _norms(network):
        norm.momentum = 0.0


class NormEstimator:
    """Estimates the statistics of generators on training patches, always the same ones.

    Parameters
    ----------
    training : sequence of Pair
    settings : TrainSettings
        Batches are as large as in training, since a network learns to work with the statistics of such.
    frames : Frames
    """

    def __init__(self, training: Sequence[Pair], settings: TrainSettings, frames: Frames) -> None:
        self._training, self._frames = training, frames
        self._settings = replace(settings, turns=False, warp=False, intensity=False)
        self._count = max(_BATCHES, -(-_PATCHES // settings.batch_size))
        self._batches: list[Batch] = []

    @torch.no_grad()
    def estimated(self, generator: Network, parts: int = 1) -> Generator[Event, None, Network]:
        """Return a copy of a generator with the statistics of the patches; yield `Measured` after each batch of them.

        Parameters
        ----------
        generator : Network
        parts : int
            Pieces that each batch was cut into.
        """
        device = generator.head.weight.device
        result = copy.deepcopy(generator).train()
        for norm in _norms(result):
            norm.momentum = None  # the mean of all batches
            norm.reset_running_stats()
        for done, batch in enumerate(self._patches(), start=1):
            for piece in batch.to(device).brightfield.chunk(parts):
                result(piece)
            yield Measured(done=done, total=self._count)
        return result.eval()

    def _patches(self) -> Iterator[Batch]:
        """Yield the batches, at the first time as they are read."""
        if not self._batches:
            batches = list[Batch]()
            for batch in islice(self._read(), self._count):
                batches.append(batch)
                yield batch
            self._batches = batches  # all of them, or none where the run is stopped
        else:
            yield from self._batches

    def _read(self) -> Iterator[Batch]:
        for epoch in range(_EPOCH, _EPOCH + self._count):  # an epoch may have fewer batches
            yield from batches_of_epoch(self._training, self._settings, epoch, self._frames)


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
