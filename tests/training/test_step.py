"""One step: every loss moves the weights, different losses move them to different places."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_mitostain.config import DiscriminatorLoss, TrainSettings, WeightSettings
from napari_mitostain.model.correlation import correlation_loss
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.step import LOSSES, train_step
from napari_mitostain.weighting import Statistics, tn_weights

SETTINGS = TrainSettings(epochs=1, patch=32, base_channels=2, depth=2, learning_rate=1e-2, ema=0.0)


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    target = torch.rand(4, 1, 32, 32, generator=random)
    return Batch(torch.randn(4, 1, 32, 32, generator=random), target)


def stepped(settings: TrainSettings, batch: Batch) -> tuple[Players, dict[str, float]]:
    players = new_players(settings)
    losses = train_step(players, batch, settings, torch.float32)
    assert not losses.requires_grad
    return players, dict(zip(LOSSES, losses.tolist(), strict=True))


def weights(network: nn.Module | None) -> Tensor:
    assert network is not None
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("discriminator", ["unet", "patchgan"])
@pytest.mark.parametrize("loss", [name for name in get_args(DiscriminatorLoss) if name != "none"])
def test_each_discriminator_loss_moves_both_players(loss: str, discriminator: str, batch: Batch) -> None:
    settings = replace(SETTINGS, discriminator_loss=loss, discriminator=discriminator, weight_adversarial=0.5)
    untrained = new_players(settings)
    players, losses = stepped(settings, batch)
    assert not torch.equal(weights(players.generator), weights(untrained.generator))
    assert not torch.equal(weights(players.discriminator), weights(untrained.discriminator))
    assert min(losses.values()) > 0
    # float32 sums of about 100 numbers of order 1
    assert losses["generator"] == pytest.approx(0.5 * losses["adversarial"] + 100 * losses["l1"], rel=1e-5)
    assert players.discriminator is not None
    assert all(parameter.requires_grad for parameter in players.discriminator.parameters())
    assert all(parameter.grad is None for network in players.networks().values() for parameter in network.parameters())


@pytest.mark.parametrize("change", [{"discriminator_loss": "none"}, {"weight_adversarial": 0.0}])
def test_without_an_adversarial_term_there_is_no_discriminator(change: dict[str, object], batch: Batch) -> None:
    players, losses = stepped(replace(SETTINGS, **change), batch)  # type: ignore[arg-type]
    assert (players.discriminator, players.discriminator_optimizer) == (None, None)
    assert list(players.networks()) == ["generator"]
    assert (losses["adversarial"], losses["discriminator"]) == (0, 0)
    assert losses["generator"] == pytest.approx(100 * losses["l1"], rel=1e-5)
    assert torch.equal(
        weights(players.generator), weights(stepped(replace(SETTINGS, discriminator_loss="none"), batch)[0].generator)
    )


def test_correlation_is_a_term_of_its_own_where_it_has_a_weight(batch: Batch) -> None:
    alone = replace(SETTINGS, discriminator_loss="none", weight_correlation=3.0)
    stain = new_players(alone).generator.train()(batch.brightfield)
    _, losses = stepped(alone, batch)
    expected = 100 * losses["l1"] + 3 * float(correlation_loss(stain.detach(), batch.target))
    assert losses["generator"] == pytest.approx(expected, rel=1e-5)  # as above


def test_losses_lead_to_different_generators(batch: Batch) -> None:
    choices = [replace(SETTINGS, discriminator_loss=loss) for loss in get_args(DiscriminatorLoss)]
    choices += [replace(SETTINGS, generator_loss="l1"), replace(SETTINGS, weight_l1=1.0)]
    choices += [replace(SETTINGS, discriminator="patchgan"), replace(SETTINGS, weight_adversarial=2.0)]
    choices += [replace(SETTINGS, weight_correlation=1.0)]
    results = []
    for settings in choices:
        players = new_players(settings)
        for _ in range(2):  # Adam's first step knows only the signs of the gradient
            train_step(players, batch, settings, torch.float32)
        results.append(weights(players.generator))
    for number, first in enumerate(results):
        assert not any(torch.equal(first, other) for other in results[:number])


def test_generator_loss_is_what_it_says(batch: Batch) -> None:
    brightfield, target = batch.brightfield, batch.target
    settings = replace(SETTINGS, discriminator_loss="none", generator_loss="l1")
    with torch.no_grad():
        stain = copy.deepcopy(new_players(settings).generator)(brightfield)
    _, losses = stepped(settings, batch)
    assert losses["l1"] == pytest.approx(float((stain - target).abs().mean()), rel=1e-5)
    _, weighted = stepped(replace(settings, generator_loss="tn"), batch)
    assert 0 < weighted["l1"] < losses["l1"]  # weights are at most 1


def test_training_the_discriminator_leaves_the_generator_alone(batch: Batch) -> None:
    settings = replace(SETTINGS, weight_l1=0.0)
    players = new_players(settings)
    assert players.discriminator is not None
    head = players.discriminator.head
    with torch.no_grad():  # a discriminator that judges nothing has nothing to teach
        for parameter in head.parameters():
            parameter.zero_()
    before = weights(players.generator)
    train_step(players, batch, settings, torch.float32)
    assert head.weight.abs().sum() > 0  # it has learnt, and only then taught
    assert not torch.equal(weights(players.generator), before)


class NoNorm(nn.Identity):
    """In place of a batch norm, whose statistics depend on how a batch is cut."""


def without_norms(players: Players) -> Players:
    for network in players.networks().values():
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, NoNorm())
    return players


@pytest.mark.parametrize("loss", ["mse", "dice-bce", "none"])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_batch_in_parts_steps_like_the_whole(parts: int, loss: str, batch: Batch) -> None:
    settings = replace(SETTINGS, discriminator_loss=loss)
    measured = tuple(Statistics(9, 0.0, 0.1 * number, 0.1, 1.0) for number in range(1, 5))
    batch = replace(batch, measured=measured)
    whole, cut = (without_norms(new_players(settings)) for _ in range(2))
    for optimizer in (*whole.optimizers().values(), *cut.optimizers().values()):
        optimizer.param_groups[0]["eps"] = 1e-3  # Adam's first steps else know the signs of gradients only
    for _ in range(2):
        first = train_step(whole, batch, settings, torch.float32)
        second = train_step(cut, batch, settings, torch.float32, parts)
    # sums of float32 in another order: some 1e-7 of their size, a thousand times more where they nearly cancel
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights(whole.generator), weights(cut.generator), rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped(batch: Batch) -> None:
    free, clipped = replace(SETTINGS, learning_rate=1e-3), replace(SETTINGS, clip_gradients=1e-12, learning_rate=1e-3)
    moved = [
        (weights(stepped(settings, batch)[0].generator) - weights(new_players(settings).generator)).abs().max()
        for settings in (free, clipped)
    ]
    # Adam divides by the gradient's own size + 1e-8: what is far below that hardly moves
    assert float(moved[1]) < 0.01 * float(moved[0])


def test_average_follows_the_generator(batch: Batch) -> None:
    settings = replace(SETTINGS, ema=0.5)
    players = new_players(settings)
    before = weights(players.generator)
    assert torch.equal(weights(players.average), before)
    train_step(players, batch, settings, torch.float32)
    players.move_average(settings.ema, step=1000)
    after = weights(players.generator)
    torch.testing.assert_close(weights(players.average), (before + after) / 2)
    assert players.shown is players.average
    assert new_players(SETTINGS).average is None


def test_seed_determines_the_untrained_networks_and_nothing_else() -> None:
    state = torch.get_rng_state()
    first, same, other = (new_players(replace(SETTINGS, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(weights(first.generator), weights(same.generator))
    assert torch.equal(weights(first.discriminator), weights(same.discriminator))
    assert not torch.equal(weights(first.generator), weights(other.generator))
    assert torch.equal(state, torch.get_rng_state())


def test_bfloat16_steps_like_float32(batch: Batch) -> None:
    precise, rounded = new_players(SETTINGS), new_players(SETTINGS)
    exact = train_step(precise, batch, SETTINGS, torch.float32)
    near = train_step(rounded, batch, SETTINGS, torch.bfloat16)
    # bfloat16 has 8 bits: 0.4 % an operation; some ten layers in a row add up to a few percent.
    assert float(near[0]) == pytest.approx(float(exact[0]), rel=0.05)
    assert weights(rounded.generator).dtype == torch.float32


def test_the_loss_weighs_as_it_was_told(batch: Batch) -> None:
    settings = replace(SETTINGS, discriminator_loss="none")
    with torch.no_grad():
        error = (new_players(settings).generator(batch.brightfield) - batch.target).abs().numpy()
    steep = replace(settings, weighting=WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), scope="patch"))
    wide = replace(batch, measured=(Statistics(9, 0.0, 0.2, 0.1, 1.0), Statistics(9, 0.0, 0.5, 0.2, 1.0)) * 2)
    for told, given, measured in ((steep, batch, (None,) * 4), (settings, wide, wide.measured)):
        _, losses = stepped(told, given)
        assert measured is not None
        pairs = zip(batch.target.numpy(), measured, strict=True)
        maps = np.stack([tn_weights(target, told.weighting, own) for target, own in pairs])
        assert losses["l1"] == pytest.approx(float((maps * error).mean()), rel=1e-5)
