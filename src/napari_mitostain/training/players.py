"""The players of the game: both networks, their optimisers, and the generator's moving average."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import SettingsError
from napari_mitostain.model.discriminator import SMALLEST_PATCH, Discriminator, PatchGAN
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.unet import channels_last

_DISCRIMINATOR_SHARE = 0.2
"""Of the generator's learning rate: a discriminator as quick as the generator drives it to paint holes."""

_NORM_WINDOW = 64
"""Samples that the running statistics of batch norm reach back over at least, however small the batches."""

_NORM_MOMENTUM = 0.1
"""Weight of a batch in them at most, but for the first batches, which are averaged."""


@dataclass
class Players:
    """All that a run learns, on one device.

    Attributes
    ----------
    generator : Generator
    generator_optimizer : Adam
    discriminator : Discriminator or PatchGAN, optional
        None where the generator plays alone.
    discriminator_optimizer : Adam, optional
    average : Generator, optional
        Moving average of the generator, where one is kept.
    """

    generator: Generator
    generator_optimizer: Adam
    discriminator: Discriminator | PatchGAN | None = None
    discriminator_optimizer: Adam | None = None
    average: Generator | None = None

    @property
    def shown(self) -> Generator:
        """The generator that is scored and kept: the moving average, if there is one."""
        return self.average or self.generator

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.generator.head.weight.device

    def networks(self) -> dict[str, nn.Module]:
        """Return the networks by the names they have in a checkpoint."""
        found = {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}
        return {name: network for name, network in found.items() if network is not None}

    def optimizers(self) -> dict[str, Adam]:
        """Return the optimisers by the names they have in a checkpoint."""
        found = {
            "generator-optimizer": self.generator_optimizer,
            "discriminator-optimizer": self.discriminator_optimizer,
        }
        return {name: optimizer for name, optimizer in found.items() if optimizer is not None}

    def to(self, device: torch.device) -> Players:
        """Move the networks to a device, in the memory layout its convolutions prefer."""
        for network in self.networks().values():
            channels_last(network.to(device))
        return self

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Give the generator, and its average, the weights of another."""
        for network in (self.generator, self.average):
            if network is not None:
                network.load_state_dict(weights)

    def set_pace(self, rate: float, step: int, batch_size: int) -> None:
        """Set learning rates and how fast batch norms forget, for the next step.

        The discriminator learns at a share of the generator's rate. Running statistics reach back over a fixed number
        of samples: those of the last few batches, as usual, would be too noisy for batches of one.
        """
        for optimizer, share in ((self.generator_optimizer, 1.0), (self.discriminator_optimizer, _DISCRIMINATOR_SHARE)):
            for group in optimizer.param_groups if optimizer is not None else ():
                group["lr"] = rate * share
        momentum = max(1 / (step + 1), min(_NORM_MOMENTUM, batch_size / _NORM_WINDOW))
        set_norm_momentum(self.generator, momentum)

    @torch.no_grad()
    def move_average(self, decay: float, step: int) -> None:
        """Let the average follow the generator; in the first steps it follows faster, to forget where it began."""
        if self.average is None:
            return
        decay = min(decay, (1 + step) / (10 + step))
        former = [value for value in self.average.state_dict().values() if value.is_floating_point()]
        latest = [value for value in self.generator.state_dict().values() if value.is_floating_point()]
        torch._foreach_lerp_(former, latest, 1 - decay)

    def are_finite(self) -> bool:
        """Tell whether all weights are numbers: losses are of the step before, and may still be."""
        totals = [value.sum() for network in self.networks().values() for value in network.parameters()]
        return bool(torch.isfinite(torch.stack(totals)).all())


def set_norm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the weight that a batch has in the running statistics of batch norms."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum


def new_players(settings: TrainSettings) -> Players:
    """Build untrained networks from the settings' seed, with the optimisers of pix2pix (Adam, β1 = 0.5).

    Raises
    ------
    SettingsError
        If patches are too small for the discriminator.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator = Generator(settings.base_channels, settings.depth)
        discriminator = _discriminator(settings) if settings.plays else None
    return Players(
        generator,
        _adam(generator, settings),
        discriminator,
        None if discriminator is None else _adam(discriminator, settings),
        copy.deepcopy(generator) if settings.ema else None,
    )


def _discriminator(settings: TrainSettings) -> Discriminator | PatchGAN:
    if settings.discriminator == "unet":
        return Discriminator(max(1, settings.base_channels // 2), settings.depth)
    if settings.patch < SMALLEST_PATCH:
        raise SettingsError(
            f"Expected patches of at least {SMALLEST_PATCH} pixels for a PatchGAN, got {settings.patch}; use larger "
            "patches or a U-Net discriminator."
        )
    return PatchGAN(settings.base_channels)


def _adam(network: nn.Module, settings: TrainSettings) -> Adam:
    return Adam(network.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999), fused=True)
