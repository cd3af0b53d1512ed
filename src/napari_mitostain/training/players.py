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
from napari_mitostain.training.norms import keep_still

_DISCRIMINATOR_SHARE = 0.2
"""Of the generator's learning rate: a discriminator as quick as the generator drives it to paint holes."""


@dataclass
class Players:
    """All that a run learns, on one device.

    The generator's batch norms go by each batch and keep the statistics that they began with; see `NormEstimator`.

    Attributes
    ----------
    generator : Generator
    generator_optimizer : Adam
    discriminator : Discriminator or PatchGAN, optional
        None where the generator plays alone.
    discriminator_optimizer : Adam, optional
    average : Generator, optional
        Moving average of the generator, where one is kept.
    judged : Tensor, optional
        Loss of the discriminator (a scalar) from when it has moved in a step until the generator has, too.
    """

    generator: Generator
    generator_optimizer: Adam
    discriminator: Discriminator | PatchGAN | None = None
    discriminator_optimizer: Adam | None = None
    average: Generator | None = None
    judged: Tensor | None = None

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
        """Move the networks to a device, in the memory layout its convolutions prefer; their rates to a CUDA GPU."""
        for network in self.networks().values():
            channels_last(network.to(device))
        is_cuda = device.type == "cuda"  # a step that it has recorded reads the rate anew each time
        for optimizer in self.optimizers().values():
            for group in optimizer.param_groups:
                rate = float(group["lr"])
                group |= {"capturable": is_cuda, "lr": torch.tensor(rate, device=device) if is_cuda else rate}
        return self

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Give the generator, and its average, the weights of another."""
        for network in (self.generator, self.average):
            if network is not None:
                network.load_state_dict(weights)

    def set_learning_rate(self, rate: float) -> None:
        """Give the generator a learning rate and the discriminator its share of it."""
        for optimizer, share in ((self.generator_optimizer, 1.0), (self.discriminator_optimizer, _DISCRIMINATOR_SHARE)):
            for group in optimizer.param_groups if optimizer is not None else ():
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate * share)
                else:
                    group["lr"] = rate * share

    @torch.no_grad()
    def move_average(self, decay: float, step: int) -> None:
        """Let the average follow the generator; in the first steps it follows faster, to forget where it began."""
        if self.average is None:
            return
        decay = min(decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([*self.average.parameters()], [*self.generator.parameters()], 1 - decay)

    def are_finite(self) -> bool:
        """Tell whether all weights are numbers: losses are of the step before, and may still be."""
        totals = [value.sum() for network in self.networks().values() for value in network.parameters()]
        return bool(torch.isfinite(torch.stack(totals)).all())


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
    keep_still(generator)
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
