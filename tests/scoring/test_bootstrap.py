"""Intervals of mean scores."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.scoring import bootstrap_interval


def test_interval_holds_the_mean_and_narrows_with_more_frames() -> None:
    random = np.random.default_rng(1)
    few, many = (random.normal(0.6, 0.1, (count, 3)).tolist() for count in (5, 100))
    widths = []
    for frames in (few, many):
        low, high = bootstrap_interval(frames)
        assert low < np.mean(frames) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 intervals of 80 %, 160 ± 5.7 cover, of few frames a few less: four deviations and that allowance."""
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(random.normal(0, 1, (30, 1)).tolist(), level=0.8)
        covered += low <= 0 <= high
    assert 130 <= covered <= 183


def test_frames_are_drawn_and_not_their_crops() -> None:
    """Ten alike crops of a frame tell no more than one."""
    alone = [[value] for value in (0.1, 0.4, 0.5, 0.9)]
    assert bootstrap_interval([scores * 10 for scores in alone]) == pytest.approx(bootstrap_interval(alone))


def test_same_seed_gives_the_same_interval_and_one_frame_tells_nothing() -> None:
    frames = [[0.2, 0.3], [0.5], [0.9]]
    assert bootstrap_interval(frames, seed=3) == bootstrap_interval(frames, seed=3)
    assert bootstrap_interval([[0.2, 0.4]]) == pytest.approx((0.3, 0.3))
    with pytest.raises(ValueError, match="got none"):
        bootstrap_interval([])
