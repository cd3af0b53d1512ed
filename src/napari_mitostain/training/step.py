"""One step of the game: the discriminator learns to tell, then the generator learns to convince and to match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import Adam

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.correlation import correlation_loss
from napari_mitostain.model.discriminator import Discriminator, PatchGAN
from napari_mitostain.model.losses import ADVERSARIAL, l1_loss, tn_loss
from napari_mitostain.training.distributed import ALONE, World
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.players import Players

LOSSES = ("generator", "adversarial", "l1", "discriminator")
"""What a step returns: "generator" = weight · "adversarial" + λ · "l1" (+ weight · the correlation term)."""


def train_step(
    players: Players,
    batch: Batch,
    settings: TrainSettings,
    dtype: torch.dtype,
    parts: int = 1,
    world: World = ALONE,
) -> Tensor:
    """Update both networks once; after a step that failed between them, only the generator.

    Parameters
    ----------
    players : Players
    batch : Batch
        On the networks' device; all of it, also where several processes share it.
    settings : TrainSettings
    dtype : torch.dtype
        float32, or bfloat16 for autocast.
    parts : int
        Pieces to cut the batch into, one after another, for less memory; gradients are added up. Batch norm then sees
        a piece at a time.
    world : World
        Processes that share the batch; gradients are added up over them.

    Returns
    -------
    Tensor
        The losses (4,), see `LOSSES`, means over the whole batch, without gradient and still on the device.
    """
    pieces = _pieces(world.share(batch), parts, len(batch.brightfield))
    players.generator.train()
    losses = torch.zeros(len(LOSSES), device=batch.brightfield.device)
    stain: Tensor | None = None

    # The discriminator learns to tell, unless memory gave out after it had.
    if players.judged is not None:
        losses[3] = players.judged
    elif players.discriminator is not None:
        for piece, weight in pieces:
            stain = _first_look(players.generator, piece, dtype, keeps_graph=len(pieces) == 1)
            with _autocast(piece, dtype):
                judged = judged_loss(players.discriminator, piece, stain.detach(), settings)
            (weight * judged).backward()  # type: ignore[no-untyped-call]
            losses[3] += weight * judged.detach()
        _update(players.discriminator_optimizer, settings, world)
        players.judged = losses[3].clone()

    # The generator learns to convince it, and to match the target.
    for piece, weight in pieces:
        with _autocast(piece, dtype):
            if stain is None or len(pieces) > 1:
                stain = players.generator(piece.brightfield)
            total, convinced, matched = generator_losses(players.discriminator, piece, stain, settings)
        (weight * total).backward()  # type: ignore[no-untyped-call]
        losses[:3] += weight * torch.stack([total, convinced, matched]).detach()
    _update(players.generator_optimizer, settings, world, [losses])
    players.judged = None
    return losses


def judged_loss(
    discriminator: Discriminator | PatchGAN, batch: Batch, stain: Tensor, settings: TrainSettings
) -> Tensor:
    """Return how wrongly a discriminator judges targets and stains, apart, as batch norm should see them; a scalar."""
    adversarial = ADVERSARIAL[settings.discriminator_loss]
    real = discriminator.judge(batch.brightfield, batch.target)
    fake = discriminator.judge(batch.brightfield, stain)
    return (adversarial(real, True) + adversarial(fake, False)) / 2


def generator_losses(
    discriminator: Discriminator | PatchGAN | None, batch: Batch, stain: Tensor, settings: TrainSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the generator minimises, its adversarial part and its (weighted) L1 part, as scalars.

    No gradient flows into the discriminator's weights.
    """
    convinced = torch.zeros((), device=stain.device)
    if discriminator is not None:
        with _left_alone(discriminator):
            logits = discriminator.judge(batch.brightfield, stain)
        convinced = ADVERSARIAL[settings.discriminator_loss](logits, True)
    if settings.generator_loss == "tn":
        matched = tn_loss(stain, batch.target, settings.weighting, batch.measured)
    else:
        matched = l1_loss(stain, batch.target)
    total = settings.weight_adversarial * convinced + settings.weight_l1 * matched
    if settings.weight_correlation:
        total = total + settings.weight_correlation * correlation_loss(stain, batch.target)
    return total, convinced, matched


def _pieces(batch: Batch, parts: int, whole: int) -> list[tuple[Batch, float]]:
    """Cut a batch into pieces, each with its part of all samples of the step."""
    count = len(batch.brightfield)
    size = max(1, -(-count // parts))
    cuts = [slice(start, start + size) for start in range(0, count, size)]
    return [(piece, len(piece.brightfield) / whole) for piece in (_cut(batch, cut) for cut in cuts)]


def _cut(batch: Batch, cut: slice) -> Batch:
    measured = None if batch.measured is None else batch.measured[cut]
    return replace(batch, brightfield=batch.brightfield[cut], target=batch.target[cut], measured=measured)


def _autocast(batch: Batch, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(batch.brightfield.device.type, dtype, enabled=dtype != torch.float32)


def _first_look(generator: nn.Module, batch: Batch, dtype: torch.dtype, keeps_graph: bool) -> Tensor:
    """Stain what the discriminator is to judge; of a piece, whose graph would take memory, once more afterwards."""
    with torch.set_grad_enabled(keeps_graph), _autocast(batch, dtype):
        stain: Tensor = generator(batch.brightfield)
        return stain


@contextmanager
def _left_alone(discriminator: nn.Module) -> Iterator[None]:
    discriminator.requires_grad_(False)
    try:
        yield
    finally:
        discriminator.requires_grad_(True)


def _update(optimizer: Adam | None, settings: TrainSettings, world: World, also: Sequence[Tensor] = ()) -> None:
    """Add gradients, and other tensors, up over all processes; then take a step and forget the gradients."""
    assert optimizer is not None
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if world.size > 1:
        for parameter in parameters:  # a process without a sample has none
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        world.add_up([*(parameter.grad for parameter in parameters), *also])
    if settings.clip_gradients is not None:
        nn.utils.clip_grad_norm_(parameters, settings.clip_gradients)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
