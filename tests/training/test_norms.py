"""Batch norm at a batch of one: what a generator does in use is what it learnt to do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Event
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.training.norms import NormEstimator
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.patches import batches_of_epoch
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.step import train_step


def trained(pairs: list[Pair], settings: TrainSettings, steps: int) -> Players:
    players, step = new_players(settings), 0
    while step < steps:
        for batch in batches_of_epoch(pairs, settings, step, Frames()):
            train_step(players, batch, settings, torch.float32)
            players.move_average(settings.ema, step)
            step += 1
    return players


def ended(steps: Generator[Event, None, Network]) -> Network:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.mark.parametrize(("batch_size", "ema"), [(1, 0.0), (1, 0.9), (4, 0.0)])
def test_evaluation_stays_with_training_at_any_batch_size(
    easy_pair: Callable[..., Pair], tiny: TrainSettings, batch_size: int, ema: float
) -> None:
    pairs = [easy_pair(seed, "a", 96) for seed in range(4)]
    settings = replace(
        tiny,
        patch=64,
        base_channels=4,
        depth=3,
        batch_size=batch_size,
        crops_per_frame=20,
        ema=ema,
        learning_rate=3e-3,
        discriminator_loss="none",
    )
    players = trained(pairs, settings, 80)
    estimated = ended(NormEstimator(pairs, settings, Frames()).estimated(players.shown))
    frames = [pair.read() for pair in pairs]
    images = torch.from_numpy(np.stack([frame.brightfield[:64, :64] for frame in frames]))[:, None]
    targets = torch.from_numpy(np.stack([frame.target[:64, :64] for frame in frames]))[:, None]
    with torch.no_grad():
        learning = torch.cat([copy.deepcopy(players.shown).train()(image) for image in images.split(batch_size)])
        used = estimated(images)
    errors = [float((stain - targets).abs().mean()) for stain in (learning, used)]
    # The patches differ in their own statistics by about a tenth, and so may the errors; statistics that run along miss
    # by up to as much as the error itself.
    assert errors[1] < 1.25 * errors[0]


def test_estimate_leaves_the_generator_as_it_is_and_is_always_the_same(pairs: list[Pair], tiny: TrainSettings) -> None:
    players = trained(pairs, tiny, 4)
    before = {name: value.clone() for name, value in players.generator.state_dict().items()}
    estimators = [NormEstimator(pairs, tiny, Frames()) for _ in range(2)]
    first, second, again = (
        ended(estimator.estimated(players.generator)).state_dict() for estimator in (*estimators, estimators[0])
    )
    assert all(torch.equal(before[name], value) for name, value in players.generator.state_dict().items())
    assert all(torch.equal(first[name], other[name]) for name in first for other in (second, again))
    assert not torch.equal(first["encoders.0.1.running_mean"], before["encoders.0.1.running_mean"])


def test_estimate_may_be_stopped_after_each_batch(pairs: list[Pair], tiny: TrainSettings) -> None:
    estimator, players = NormEstimator(pairs, tiny, Frames()), new_players(tiny)
    stopped = estimator.estimated(players.generator)
    assert [next(stopped) for _ in range(2)]
    assert torch.is_grad_enabled()  # whoever is told meanwhile may train
    stopped.close()
    whole = NormEstimator(pairs, tiny, Frames()).estimated(players.generator)
    first, second = (ended(steps).state_dict() for steps in (estimator.estimated(players.generator), whole))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_leaves_the_statistics_alone(pairs: list[Pair], tiny: TrainSettings) -> None:
    before = new_players(tiny).generator.state_dict()
    after = trained(pairs, tiny, 2).generator.state_dict()
    running = [name for name in before if "running" in name]
    assert running
    assert all(torch.equal(before[name], after[name]) for name in running)
