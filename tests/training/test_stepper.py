"""Steps of a run: on a CUDA GPU they are recorded, and end where steps that are not recorded end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import EpochDone, RunDone
from napari_mitostain.model.loading import load_model
from napari_mitostain.training import step
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
    """Make batches of which each is brighter than the one before."""
    random = torch.Generator().manual_seed(size)
    images = torch.randn(count, size, 1, 32, 32, generator=random)
    return [
        Batch(image, (image * (number + 1) / count).clip(0, 1), number=number) for number, image in enumerate(images)
    ]


def ends(players: Players, take: Callable[[Batch], torch.Tensor], some: Sequence[Batch]) -> tuple[Any, Any]:
    """Take steps at a rate that rises; return the losses of each, and the weights in the end."""
    losses = []
    for number, batch in enumerate(some):
        players.set_learning_rate(3e-4 * (1 + number))
        losses.append(take(batch).tolist())
    networks = players.networks().values()
    return np.array(losses), torch.cat([w.detach().flatten().cpu() for n in networks for w in n.parameters()]).numpy()


def same_ends(found: tuple[Any, Any], expected: tuple[Any, Any], before: Any) -> None:
    """Compare losses, and how far weights have moved since before steps were recorded."""
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-2, atol=1e-3)
    moved = np.abs(expected[1] - before).mean()
    assert moved > 1e-3
    assert np.abs(found[1] - expected[1]).mean() < 0.2 * moved


def of_plain_steps(settings: TrainSettings, device: torch.device, some: Sequence[Batch]) -> tuple[Any, Any]:
    players = new_players(settings).to(device)
    return ends(players, lambda batch: train_step(players, batch.to(device), settings, torch.float32), some)


def test_on_a_processor_steps_are_plain_ones() -> None:
    players, some = new_players(SETTINGS).to(CPU), batches(6)
    stepper = Stepper(players, SETTINGS, torch.float32)
    for found, expected in zip(ends(players, stepper.step, some), of_plain_steps(SETTINGS, CPU, some), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not stepper.is_recorded


def require_same_ends_when_recorded(settings: TrainSettings, some: Sequence[Batch]) -> None:
    players = new_players(settings).to(GPU)
    stepper = Stepper(players, settings, torch.float32)
    found = ends(players, stepper.step, some)
    assert stepper.is_recorded
    same_ends(found, of_plain_steps(settings, GPU, some), of_plain_steps(settings, GPU, some[:3])[1])


@needs_gpu
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"discriminator": "patchgan"},
        {"discriminator_loss": "none", "weight_correlation": 2.0},
        {"clip_gradients": 0.1, "generator_loss": "l1", "ema": 0.9},
    ],
)
def test_recorded_steps_end_where_others_end(change: dict[str, Any]) -> None:
    require_same_ends_when_recorded(replace(SETTINGS, **change), batches(9))


@needs_gpu
def test_batches_of_another_kind_are_taken_in_between() -> None:
    known = tuple(Statistics(100, 0.0, 0.5, 0.2, 1.0) for _ in range(4))
    weighed_by_plane = replace(batches(1)[0], measured=known)
    require_same_ends_when_recorded(SETTINGS, [*batches(5), *batches(1, size=3), weighed_by_plane, *batches(3)])


@needs_gpu
def test_parts_are_recorded_anew() -> None:
    players = new_players(SETTINGS).to(GPU)
    stepper = Stepper(players, SETTINGS, torch.float32)
    for number, batch in enumerate(batches(12)):
        losses = stepper.step(batch, 1 if number < 5 else 2)
        assert stepper.is_recorded == (number in (3, 4) or number >= 8)
        assert torch.isfinite(losses).all()


class Refusing:
    """What is to record a step, and fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __enter__(self) -> None:
        raise self.error

    def __exit__(self, *_: object) -> None: ...


class Fake:
    """A recorded step, of which nothing is taken."""

    def taken(self, batch: Batch) -> torch.Tensor:
        return torch.full((4,), 7.0)


@pytest.fixture
def stepper(monkeypatch: pytest.MonkeyPatch) -> Stepper:
    """A stepper that takes a processor for a GPU."""
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    made = Stepper(new_players(SETTINGS).to(CPU), SETTINGS, torch.float32)
    made._records = True
    return made


@pytest.mark.parametrize("error", [RuntimeError("operation not permitted"), torch.OutOfMemoryError("out of memory")])
def test_where_nothing_can_be_recorded_steps_go_on(
    stepper: Stepper, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(torch.cuda, "graph", Refusing(error))
    found, expected = ends(stepper._players, stepper.step, batches(6)), of_plain_steps(SETTINGS, CPU, batches(6))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not stepper.is_recorded


def test_what_is_recorded_takes_full_batches_that_are_weighed_alone(stepper: Stepper) -> None:
    known = tuple(Statistics(100, 0.0, 0.5, 0.2, 1.0) for _ in range(4))
    full, small = batches(1)[0], batches(1, size=3)[0]
    stepper._recorded = Fake()  # type: ignore[assignment]
    of_fake = [stepper.step(batch).tolist() == [7.0] * 4 for batch in (full, small, replace(full, measured=known))]
    assert of_fake == [True, False, False]
    stepper.forget()
    assert not stepper.is_recorded
    assert stepper.step(full).tolist() != [7.0] * 4


def test_other_parts_are_not_what_was_recorded(stepper: Stepper) -> None:
    stepper._recorded = Fake()  # type: ignore[assignment]
    assert stepper.step(batches(1)[0], 2).tolist() != [7.0] * 4
    assert not stepper.is_recorded


def test_a_lack_of_memory_forgets_what_was_recorded_and_moves_no_player_twice(
    stepper: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, expected = batches(1, size=3), of_plain_steps(SETTINGS, CPU, batches(1, size=3))
    whole, failures = step.generator_losses, [torch.OutOfMemoryError("CUDA out of memory")]

    def lacking(*arguments: Any) -> Any:  # once the discriminator has moved
        if failures:
            raise failures.pop()
        return whole(*arguments)

    monkeypatch.setattr(step, "generator_losses", lacking)
    stepper._recorded = Fake()  # type: ignore[assignment]
    found = ends(stepper._players, stepper.step, small)
    assert (failures, stepper.is_recorded) == ([], False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_gpu
def test_a_run_is_trained_and_resumed_there(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    settings = replace(tiny, device="cuda", epochs=6, batch_size=2)
    before = torch.cuda.memory_allocated()
    events = train(pairs, tmp_path / "run", settings)
    for event in events:
        if isinstance(event, EpochDone) and event.epoch == 2:
            events.close()  # type: ignore[attr-defined]
            break
    assert torch.cuda.memory_allocated() - before < 2e6
    events = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [3, 4, 5]
    assert isinstance(events[-1], RunDone)
    assert load_model(tmp_path / "run").card.name
