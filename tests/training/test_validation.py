"""Validation: the same pairs each time, no more of them than it can afford, and crops with something on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_mitostain.config import TrainSettings
from napari_mitostain.model import predictor
from napari_mitostain.model.loading import Model
from napari_mitostain.training import validation
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.split import Split
from napari_mitostain.training.validation import Validator, brightest, spread


def test_pairs_are_spread_over_all_of_them(pairs: list[Pair]) -> None:
    assert [pair.name for pair in spread(pairs, 2)] == ["pair 0", "pair 2"]
    assert spread(pairs, 9) == spread(pairs, None) == pairs


def test_crop_holds_the_most_light() -> None:
    target = np.zeros((100, 130), np.float32)
    target[70:80, 100:110] = 1
    rows, columns = brightest(target, 32)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (32, 32)
    assert target[rows, columns].sum() == 100
    assert brightest(target[:32, :32], 32) == (slice(0, 32), slice(0, 32))


def test_no_more_pixels_are_scored_than_affordable(
    easy_pair: Callable[..., Pair], tiny: TrainSettings, monkeypatch: object
) -> None:
    pairs = [easy_pair(seed, "a") for seed in range(20)]
    monkeypatch.setattr(validation, "_SCORED_PIXELS", 5 * 40 * 40)  # type: ignore[attr-defined]
    validator = Validator(Split(pairs[:1], pairs), tiny, Frames())
    assert [pair.name for pair in validator.pairs] == ["pair 0", "pair 4", "pair 8", "pair 12", "pair 16"]
    assert validator.pixels == 5 * 40 * 40


def test_previews_are_eight_crops_at_most(easy_pair: Callable[..., Pair], tiny: TrainSettings) -> None:
    pairs = [easy_pair(seed, "a") for seed in range(20)]
    for split in (Split(pairs[:1], pairs), Split(pairs)):
        brightfield, truth = Validator(split, tiny, Frames()).crops()
        assert len(brightfield) == len(truth) == 8
        assert {image.shape for image in (*brightfield, *truth)} == {(32, 32)}


def test_large_plane_may_be_stopped_after_each_tile(
    easy_pair: Callable[..., Pair], tiny: TrainSettings, monkeypatch: pytest.MonkeyPatch, tiny_model: Model
) -> None:
    tiles: list[int] = []
    windows = validation.stitch

    def counted(*arguments: Any) -> Any:
        for window in windows(*arguments):
            tiles.append(1)
            yield window

    monkeypatch.setattr(predictor, "_TILE", 32)
    monkeypatch.setattr(validation, "stitch", counted)
    pairs = [easy_pair(0, "a", 128)]
    steps = Validator(Split(pairs, pairs), tiny, Frames()).validate(tiny_model)
    for number in range(1, 17):
        assert next(steps).done == 0  # type: ignore[attr-defined]
        assert len(tiles) == number
    assert next(steps).done == 1  # type: ignore[attr-defined]


def test_baselines_are_scored_on_validation_pairs_only(pairs: list[Pair], tiny: TrainSettings) -> None:
    def result(split: Split) -> dict[str, dict[str, float]]:
        steps = Validator(split, tiny, Frames()).baselines()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    assert result(Split(pairs)) == {}
    found = result(Split(pairs[:4], pairs[4:]))
    assert list(found) == ["constant", "variance", "ceiling"]
    assert found["constant"]["pearson"] == 0
    assert found["ceiling"]["pearson"] > 0.9
