"""One step of the game: the discriminator learns to tell, then the generator learns to convince and to match."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.discriminator import Discriminator
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.losses import ADVERSARIAL, l1_loss, tn_loss
from napari_mitostain.model.unet import channels_last
from napari_mitostain.training.patches import Batch

_DISCRIMINATOR_SHARE = 0.2
"""Of the generator's learning rate: a discriminator as quick as the generator drives it to paint holes."""


@dataclass
class Players:
    """Both networks with their optimisers, on one device."""

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Adam
    discriminator_optimizer: Adam

    def to(self, device: torch.device) -> Players:
        """Move the networks to a device, in the memory layout its convolutions prefer."""
        for network in (self.generator, self.discriminator):
            channels_last(network.to(device))
        return self

    def networks(self) -> dict[str, nn.Module]:
        """Return the networks by the names they have in a checkpoint."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizers(self) -> dict[str, Adam]:
        """Return the optimisers by the names they have in a checkpoint."""
        return {
            "generator-optimizer": self.generator_optimizer,
            "discriminator-optimizer": self.discriminator_optimizer,
        }

    def set_learning_rate(self, rate: float) -> None:
        """Give the generator a learning rate and the discriminator its share of it."""
        for optimizer, share in ((self.generator_optimizer, 1.0), (self.discriminator_optimizer, _DISCRIMINATOR_SHARE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * share


def new_players(settings: TrainSettings) -> Players:
    """Build untrained networks from the settings' seed, with the optimisers of pix2pix (Adam, β1 = 0.5)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator = Generator(settings.base_channels, settings.depth)
        discriminator = Discriminator(max(1, settings.base_channels // 2), settings.depth)
    optimizers = (
        Adam(network.parameters(), lr=settings.learning_rate, betas=(0.5, 0.999))
        for network in (generator, discriminator)
    )
    return Players(generator, discriminator, *optimizers)


def train_step(players: Players, batch: Batch, settings: TrainSettings, dtype: torch.dtype) -> dict[str, Tensor]:
    """Update both networks once.

    Parameters
    ----------
    players : Players
    batch : Batch
        On the networks' device.
    settings : TrainSettings
    dtype : torch.dtype
        float32, or bfloat16 for autocast.

    Returns
    -------
    dict of str to Tensor
        Scalars, without gradient: "generator" = "adversarial" + λ "l1", and "discriminator".
    """
    brightfield, target = batch.brightfield, batch.target
    autocast = torch.autocast(brightfield.device.type, dtype, enabled=dtype != torch.float32)
    adversarial = ADVERSARIAL.get(settings.discriminator_loss)
    none = torch.zeros((), device=brightfield.device)

    with autocast:
        stain = players.generator(brightfield)

    judged = none
    if adversarial is not None:
        with autocast:
            real = players.discriminator.judge(brightfield, target)
            fake = players.discriminator.judge(brightfield, stain.detach())
        judged = (adversarial(real, True) + adversarial(fake, False)) / 2
        _update(players.discriminator_optimizer, judged)

    convinced = none
    if adversarial is not None:
        players.discriminator.requires_grad_(False)
        with autocast:
            convinced = adversarial(players.discriminator.judge(brightfield, stain), True)
        players.discriminator.requires_grad_(True)
    if settings.generator_loss == "tn":
        matched = tn_loss(stain, target, settings.weighting, batch.measured)
    else:
        matched = l1_loss(stain, target)
    total = convinced + settings.weight_l1 * matched
    _update(players.generator_optimizer, total)
    losses = {"generator": total, "adversarial": convinced, "l1": matched, "discriminator": judged}
    return {name: loss.detach() for name, loss in losses.items()}


def _update(optimizer: Adam, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
