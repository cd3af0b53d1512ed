"""Fields without a cell, to train with."""

from __future__ import annotations

import numpy as np
import pytest

from cell_free import cell_free


def test_fields_are_the_same_each_time_and_all_different() -> None:
    few, more = ([pair.read() for pair in cell_free(count)] for count in (2, 4))
    for one, other in zip(few, more, strict=False):
        assert np.array_equal(one.brightfield, other.brightfield)
        assert np.array_equal(one.target, other.target)
    assert all((more[0].brightfield != frame.brightfield).any() for frame in more[1:])


def test_target_is_dark_and_has_pixels_to_weigh() -> None:
    for pair in cell_free(2):
        frame = pair.read()
        assert 0 < frame.target.mean() < 0.02 / 4
        assert (frame.target >= frame.threshold).mean() > 0.05  # the least that a patch must have
        assert frame.brightfield.std() == pytest.approx(1, abs=0.1)
