"""A benchmark is fair only if all contestants compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_mitostain.benchmarking.weights import by_loop, by_select
from napari_mitostain.weighting import tn_weights


@pytest.mark.parametrize("way", [by_select, by_loop])
def test_opponents_compute_the_weights(way: Callable[..., Any]) -> None:
    plane = np.random.default_rng(0).gamma(1.5, 200, (60, 70)).astype(np.float32)
    np.testing.assert_allclose(way(plane), tn_weights(plane), atol=1e-5)
