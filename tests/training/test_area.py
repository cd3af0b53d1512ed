"""The area rule, exactly: the same answer as counting in every position."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.training.area import allowed_corners
from napari_mitostain.training.pair import frame_of

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("minimum_area", [0.0, 0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("shape", "side"), [((30, 41), 8), ((16, 40), 16), ((20, 20), 19), ((9, 9), 1)])
def test_every_position_is_judged_as_by_counting(shape: tuple[int, int], side: int, minimum_area: float) -> None:
    target = RANDOM.random(shape, np.float32) * np.linspace(0, 1, shape[1], dtype=np.float32)
    frame = frame_of(target, target)
    windows = np.lib.stride_tricks.sliding_window_view(target >= frame.threshold, (side, side))
    counted = windows.mean(axis=(2, 3)) >= minimum_area
    np.testing.assert_array_equal(allowed_corners(frame, side, minimum_area), counted)


def test_frame_of_the_size_of_a_patch_is_taken_as_it_is() -> None:
    flat = np.zeros((16, 16), np.float32)
    assert allowed_corners(frame_of(flat, flat), 16, 0.9).tolist() == [[True]]
