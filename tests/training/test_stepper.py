"""Steps of a run: on a CUDA GPU they are recorded, and end where steps that are not recorded end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import EpochDone, RunDone
from napari_mitostain.model.loading import load_model
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.step import train_step
from napari_mitostain.training.stepper import Stepper
from napari_mitostain.training.trainer import train
from napari_mitostain.weighting import Statistics

SETTINGS = TrainSettings(epochs=1, batch_size=4, patch=32, base_channels=4, depth=2, ema=0.0, learning_rate=1e-3)
CPU, GPU = torch.device("cpu"), torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")


def batches(count: int, size: int = 4) -> list[Batch]:
    random = torch.Generator().manual_seed(size)
    images = torch.randn(count, size, 1, 32, 32, generator=random)
    return [Batch(image, image.clip(0, 1), number=number) for number, image in enumerate(images)]


def ends(players: Players, take: Callable[[Batch], torch.Tensor], some: Sequence[Batch]) -> tuple[Any, Any]:
    """Take steps at a rate that changes; return the losses of each, and the weights in the end."""
    losses = []
    for number, batch in enumerate(some):
        players.set_learning_rate(1e-3 / (1 + number))
        losses.append(take(batch).tolist())
    numbers = [
        value.detach().flatten().cpu() for network in players.networks().values() for value in network.parameters()
    ]
    return np.array(losses), torch.cat(numbers).numpy()


def of_plain_steps(settings: TrainSettings, device: torch.device, some: Sequence[Batch]) -> tuple[Any, Any]:
    players = new_players(settings).to(device)
    return ends(players, lambda batch: train_step(players, batch.to(device), settings, torch.float32), some)


def test_on_a_processor_steps_are_plain_ones() -> None:
    players, some = new_players(SETTINGS).to(CPU), batches(6)
    stepper = Stepper(players, SETTINGS, torch.float32)
    for found, expected in zip(ends(players, stepper.step, some), of_plain_steps(SETTINGS, CPU, some), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not stepper.is_recorded


@needs_gpu
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"discriminator": "patchgan", "patch": 64},
        {"discriminator_loss": "none", "weight_correlation": 2.0},
        {"clip_gradients": 0.1, "generator_loss": "l1", "ema": 0.9},
    ],
)
def test_recorded_steps_end_where_others_end(change: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **change)
    players, some = new_players(settings).to(GPU), batches(9)
    stepper = Stepper(players, settings, torch.float32)
    found, expected = ends(players, stepper.step, some), of_plain_steps(settings, GPU, some)
    assert stepper.is_recorded
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-2, atol=1e-3)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)  # each step moves a weight by up to its rate
    assert np.abs(of_plain_steps(settings, GPU, some[:4])[1] - expected[1]).max() > 3e-4  # the others did move them


@needs_gpu
def test_batches_of_another_kind_are_taken_in_between() -> None:
    players = new_players(SETTINGS).to(GPU)
    stepper = Stepper(players, SETTINGS, torch.float32)
    known = tuple(Statistics(100, 0.0, 0.5, 0.2, 1.0) for _ in range(4))
    some = [*batches(5), *batches(1, size=3), replace(batches(1)[0], measured=known), *batches(3)]
    found, expected = ends(players, stepper.step, some), of_plain_steps(SETTINGS, GPU, some)
    assert stepper.is_recorded
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-2, atol=1e-3)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)


@needs_gpu
def test_parts_are_recorded_anew() -> None:
    players = new_players(SETTINGS).to(GPU)
    stepper = Stepper(players, SETTINGS, torch.float32)
    for number, batch in enumerate(batches(12)):
        losses = stepper.step(batch, 1 if number < 5 else 2)
        assert stepper.is_recorded == (number in (3, 4) or number >= 8)
        assert torch.isfinite(losses).all()


@needs_gpu
def test_where_nothing_can_be_recorded_steps_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refused(*args: object, **settings: object) -> Any:
        yield
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    some = batches(3)
    expected = of_plain_steps(SETTINGS, GPU, some)
    players = new_players(SETTINGS).to(GPU)
    stepper = Stepper(players, SETTINGS, torch.float32)
    np.testing.assert_allclose(ends(players, stepper.step, some)[1], expected[1], atol=1e-3)
    monkeypatch.setattr(torch.cuda, "graph", refused)
    for batch in batches(3):
        assert torch.isfinite(stepper.step(batch)).all()
    assert not stepper.is_recorded


@needs_gpu
def test_a_run_is_trained_and_resumed_there(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    settings = replace(tiny, device="cuda", epochs=6, batch_size=2)
    events = train(pairs, tmp_path / "run", settings)
    for event in events:
        if isinstance(event, EpochDone) and event.epoch == 2:
            events.close()  # type: ignore[attr-defined]
            break
    events = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [3, 4, 5]
    assert isinstance(events[-1], RunDone)
    assert load_model(tmp_path / "run").card.name
