"""One step: every loss moves the weights, and different losses move them to different places."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from napari_mitostain.config import DiscriminatorLoss, TrainSettings, WeightSettings
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.step import Players, new_players, train_step
from napari_mitostain.weighting import Statistics, tn_weights

SETTINGS = TrainSettings(epochs=1, patch=16, base_channels=2, depth=2, learning_rate=1e-2)


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    target = torch.rand(2, 1, 16, 16, generator=random)
    return Batch(torch.randn(2, 1, 16, 16, generator=random), target)


def stepped(settings: TrainSettings, batch: Batch) -> tuple[Players, dict[str, float]]:
    players = new_players(settings)
    losses = train_step(players, batch, settings, torch.float32)
    assert not any(loss.requires_grad for loss in losses.values())
    return players, {name: float(loss) for name, loss in losses.items()}


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("loss", get_args(DiscriminatorLoss))
def test_each_discriminator_loss_moves_the_players(loss: str, batch: Batch) -> None:
    settings = replace(SETTINGS, discriminator_loss=loss)
    untrained = new_players(settings)
    players, losses = stepped(settings, batch)
    assert not torch.equal(weights(players.generator), weights(untrained.generator))
    moved = not torch.equal(weights(players.discriminator), weights(untrained.discriminator))
    assert moved == (loss != "none")
    assert (losses["discriminator"] > 0) == (losses["adversarial"] > 0) == (loss != "none")
    # float32 sums of about 100 numbers of order 1
    assert losses["generator"] == pytest.approx(losses["adversarial"] + 100 * losses["l1"], rel=1e-5)
    assert all(parameter.requires_grad for parameter in players.discriminator.parameters())


def test_losses_lead_to_different_generators(batch: Batch) -> None:
    choices = [replace(SETTINGS, discriminator_loss=loss) for loss in get_args(DiscriminatorLoss)]
    choices += [replace(SETTINGS, generator_loss="l1"), replace(SETTINGS, weight_l1=1.0)]
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
    with torch.no_grad():  # a discriminator that judges nothing has nothing to teach
        for parameter in players.discriminator.head.parameters():
            parameter.zero_()
    before = weights(players.generator)
    train_step(players, batch, settings, torch.float32)
    head = players.discriminator.head.weight
    assert head.abs().sum() > 0  # it has learnt, and only then taught
    assert not torch.equal(weights(players.generator), before)


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
    assert float(near["generator"]) == pytest.approx(float(exact["generator"]), rel=0.05)
    assert weights(rounded.generator).dtype == torch.float32


def test_the_loss_weighs_as_it_was_told(batch: Batch) -> None:
    settings = replace(SETTINGS, discriminator_loss="none")
    with torch.no_grad():
        error = (new_players(settings).generator(batch.brightfield) - batch.target).abs().numpy()
    steep = replace(settings, weighting=WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), scope="patch"))
    wide = replace(batch, measured=(Statistics(9, 0.0, 0.2, 0.1, 1.0), Statistics(9, 0.0, 0.5, 0.2, 1.0)))
    for told, given, measured in ((steep, batch, (None, None)), (settings, wide, wide.measured)):
        _, losses = stepped(told, given)
        pairs = zip(batch.target.numpy(), measured, strict=True)
        maps = np.stack([tn_weights(target, told.weighting, own) for target, own in pairs])
        assert losses["l1"] == pytest.approx(float((maps * error).mean()), rel=1e-5)
