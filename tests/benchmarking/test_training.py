"""The contestants of the training benchmark take steps of the same game; how fast they are is not a test's matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.benchmarking.classic import ClassicLoop, PairedCrops
from napari_mitostain.benchmarking.training import bare_step, benchmark_training, real_training
from napari_mitostain.config import StainSettings, TrainSettings
from napari_mitostain.training.pair import Pair, pair_of_arrays

CPU = torch.device("cpu")
SETTINGS = TrainSettings(epochs=1, patch=32, batch_size=2, minimum_area=0.0, base_channels=4, depth=2, device="cpu")


@pytest.fixture
def pairs() -> list[Pair]:
    random = np.random.default_rng(0)
    images = [random.random((2, 48, 48)).astype(np.float32) for _ in range(2)]
    return [pair_of_arrays(f"p{number}", "a", *both) for number, both in enumerate(images)]


def _contestants(pairs: list[Pair]) -> dict[str, Callable[[int], float]]:
    return {
        "training": real_training(pairs, SETTINGS, CPU, torch.float32),
        "bare_step": bare_step(SETTINGS, CPU, torch.float32),
        "pix2pix_loop": ClassicLoop(pairs, SETTINGS, CPU, workers=0),
    }


@pytest.mark.parametrize("name", ["training", "bare_step", "pix2pix_loop"])
def test_every_step_updates_both_networks(pairs: list[Pair], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stepped: list[int] = []
    adam = torch.optim.Adam.step

    def counted(optimizer: torch.optim.Adam, *arguments: Any) -> Any:
        stepped.append(id(optimizer))
        return adam(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    take = _contestants(pairs)[name]
    losses = [take(2), take(1), take(1)]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 3  # the networks, and with them their losses, change
    assert (len(stepped), len(set(stepped))) == (8, 2)


def test_classic_crops_keep_both_images_together(pairs: list[Pair]) -> None:
    image = np.random.default_rng(1).random((48, 48)).astype(np.float32)
    same = pair_of_arrays("same", "a", image, image)
    brightfield, target = PairedCrops([same], 32)[0]
    assert brightfield.shape == (1, 32, 32)
    assert torch.equal(brightfield, target)


def test_throughputs_and_their_ratios() -> None:
    result = benchmark_training(32, 1, StainSettings(device="cpu", precision="float32"))
    ours = result["training_samples_per_second"]
    for opponent in ("bare_step", "pix2pix_loop"):
        theirs = result[f"{opponent}_samples_per_second"]
        assert result[f"training_throughput_over_{opponent}"] == pytest.approx(ours / theirs)  # of one round
    assert (result["training_patch"], result["training_batch"], result["pix2pix_loop_workers"]) == (32, 4, 0)
