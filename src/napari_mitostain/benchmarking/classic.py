"""The loop that pix2pix is usually trained by: plain PyTorch, a data loader, two optimisers, float32.

Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017, as its PyTorch code is
written: images are read anew for every sample, cropped at random and flipped; the discriminator learns from two halves
of a loss, then is held still while the generator learns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset, RandomSampler

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.losses import mse_adversarial, tn_loss
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.players import new_players

_SAMPLES = 1_000_000
"""An epoch that no benchmark sees the end of."""


class PairedCrops(Dataset[tuple[Tensor, Tensor]]):
    """Random crops of pairs, at random flipped.

    Parameters
    ----------
    pairs : sequence of Pair
        Read for every sample.
    patch : int
        Side of a crop in pixels.
    """

    def __init__(self, pairs: Sequence[Pair], patch: int) -> None:
        self.pairs, self.patch = pairs, patch

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        frame = self.pairs[number].read()
        row, column = (int(torch.randint(length - self.patch + 1, ())) for length in frame.target.shape)
        crop = frame.cut((slice(row, row + self.patch), slice(column, column + self.patch)))
        step = -1 if torch.rand(()) < 0.5 else 1
        brightfield, target = (
            torch.from_numpy(np.ascontiguousarray(image[None, :, ::step])) for image in (crop.brightfield, crop.target)
        )
        return brightfield, target  # both (1, patch, patch)


class ClassicLoop:
    """Takes steps of the classic loop when called, their batches included, and returns the sum of the last losses.

    Parameters
    ----------
    pairs : sequence of Pair
    settings : TrainSettings
        Give the networks, the patch and λ; the losses are MSE and TN.
    device : torch.device
    workers : int
        Processes that load; 0 loads between the steps.
    """

    def __init__(self, pairs: Sequence[Pair], settings: TrainSettings, device: torch.device, workers: int) -> None:
        self.settings, self.device = settings, device
        players = new_players(settings)
        assert players.discriminator is not None
        self.generator, self.discriminator = players.generator.to(device), players.discriminator.to(device)
        self.generator_optimizer, self.discriminator_optimizer = (
            Adam(network.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        dataset = PairedCrops(pairs, settings.patch)
        sampler = RandomSampler(dataset, replacement=True, num_samples=_SAMPLES)
        self.batches = iter(DataLoader(dataset, settings.batch_size, sampler=sampler, num_workers=workers))

    def __call__(self, steps: int) -> float:
        """Update both networks so many times."""
        return [self._step() for _ in range(steps)][-1]

    def _step(self) -> float:
        brightfield, target = (part.to(self.device) for part in next(self.batches))
        stain = self.generator(brightfield)
        judged = self._discriminate(brightfield, target, stain.detach())
        return float(judged.detach()) + float(self._generate(brightfield, target, stain).detach())

    def _discriminate(self, brightfield: Tensor, target: Tensor, stain: Tensor) -> Tensor:
        self.discriminator.requires_grad_(True)
        self.discriminator_optimizer.zero_grad()
        fake = mse_adversarial(self.discriminator.judge(brightfield, stain), False)
        real = mse_adversarial(self.discriminator.judge(brightfield, target), True)
        loss = (fake + real) / 2
        loss.backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        return loss

    def _generate(self, brightfield: Tensor, target: Tensor, stain: Tensor) -> Tensor:
        self.discriminator.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        convinced = mse_adversarial(self.discriminator.judge(brightfield, stain), True)
        loss = convinced + self.settings.weight_l1 * tn_loss(stain, target, self.settings.weighting)
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_optimizer.step()
        return loss
