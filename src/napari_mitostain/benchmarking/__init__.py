"""Speed as ratios, measured in one run."""

from __future__ import annotations

import platform
from typing import Any

import torch

from napari_mitostain.benchmarking.staining import benchmark_staining
from napari_mitostain.benchmarking.weights import benchmark_weights
from napari_mitostain.config import StainSettings

__all__ = ["benchmark"]


def benchmark(size: int = 1024, repeats: int = 5, settings: StainSettings = StainSettings()) -> dict[str, Any]:
    """Run all benchmarks; see `benchmark_staining` and `benchmark_weights`.

    Parameters
    ----------
    size : int
        Side of the plane that is stained; the one that is weighed is twice as large.
    repeats : int
    settings : StainSettings
    """
    return {
        **benchmark_staining(size, repeats, settings),
        **benchmark_weights(2 * size, repeats),
        "threads": torch.get_num_threads(),
        "machine": platform.platform(),
    }
