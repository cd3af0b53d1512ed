"""Stains that are too bright become as bright as their targets."""

from __future__ import annotations

from collections.abc import Generator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mitostain import stain
from napari_mitostain.config import StainSettings, TrainSettings
from napari_mitostain.events import Event, Measured
from napari_mitostain.image import scale_brightfield
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.training.brightness import BrightnessFit
from napari_mitostain.training.pair import Frames, Pair, pair_of_arrays
from napari_mitostain.training.trainer import train

EXACT = StainSettings("cpu", "float32")


@pytest.fixture
def own_pairs(tiny_model: Model) -> list[Pair]:
    """Pairs whose targets are what the model stains."""
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    return [
        pair_of_arrays(str(number), "a", scale_brightfield(image), stain(image, tiny_model, EXACT, axes="YX"))
        for number, image in enumerate(images)
    ]


def changed(model: Model, gain: float, bias: float) -> Network:
    generator = deepcopy(model.generator)
    assert generator.head.bias is not None
    with torch.no_grad():
        generator.head.weight *= gain
        generator.head.bias *= gain
        generator.head.bias += bias
    return generator


def ended(steps: Generator[Event, None, Network]) -> tuple[Network, list[Event]]:
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as stop:
            return stop.value, events


def test_gain_and_bias_that_were_changed_are_found(tiny_model: Model, own_pairs: list[Pair]) -> None:
    bright = changed(tiny_model, 1.5, 0.7)
    before = {name: value.clone() for name, value in bright.state_dict().items()}
    found, events = ended(BrightnessFit(own_pairs, 64, Frames()).fitted(bright))
    # the search ends when a step would change the error by less than 1e-8 of it, or the logits by as much
    torch.testing.assert_close(found.head.weight, tiny_model.generator.head.weight, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.head.bias, tiny_model.generator.head.bias, rtol=1e-3, atol=1e-3)
    assert [(event.done, event.total) for event in events if isinstance(event, Measured)] == [(1, 3), (2, 3), (3, 3)]
    assert all(torch.equal(before[name], value) for name, value in bright.state_dict().items())


def test_so_many_pairs_are_looked_at(tiny_model: Model, own_pairs: list[Pair]) -> None:
    _, events = ended(BrightnessFit(own_pairs, 64, Frames(), most=2).fitted(tiny_model.generator))
    assert len(events) == 2


@pytest.mark.parametrize(("gain", "expected"), [(10.0, 0.5), (-1.0, 0.5), (0.1, 2.0)])
def test_gain_stays_within_bounds(tiny_model: Model, own_pairs: list[Pair], gain: float, expected: float) -> None:
    found, _ = ended(BrightnessFit(own_pairs, 64, Frames()).fitted(changed(tiny_model, gain, 0.0)))
    torch.testing.assert_close(found.head.weight, tiny_model.generator.head.weight * gain * expected)


def test_stains_that_are_no_numbers_leave_the_generator_as_it_is(tiny_model: Model, own_pairs: list[Pair]) -> None:
    broken = changed(tiny_model, float("nan"), 0.0)
    broken.head.weight.data = tiny_model.generator.head.weight.data.clone()
    found, _ = ended(BrightnessFit(own_pairs, 64, Frames()).fitted(broken))
    torch.testing.assert_close(found.head.weight, tiny_model.generator.head.weight)


def test_run_keeps_a_generator_as_bright_as_the_fluorescence(
    pairs: list[Pair], tiny: TrainSettings, tiny_model: Model, tmp_path: Path
) -> None:
    means = {}
    for matched in (False, True):
        settings = replace(tiny, epochs=1, learning_rate=1e-9, holdout=(), match_brightness=matched)
        run = tmp_path / str(matched)
        list(train(pairs, run, settings, Model(tiny_model.card, changed(tiny_model, 1.0, 2.0))))
        generator = load_model(run).generator
        with torch.no_grad():
            stains = [generator(torch.from_numpy(pair.read().brightfield)[None, None]).mean() for pair in pairs]
        means[matched] = float(torch.stack(stains).mean())
    target = float(np.mean([pair.read().target.mean() for pair in pairs]))
    # least squares brings the mean to that of what it looked at: squares, which are a part of the pairs
    assert abs(means[True] - target) < 0.1
    assert abs(means[False] - target) > 0.2
