"""Speed as ratios, measured in one run."""

from __future__ import annotations

import platform
from typing import Any

import torch

from napari_mitostain.benchmarking.staining import benchmark_staining
from napari_mitostain.benchmarking.training import benchmark_training
from napari_mitostain.benchmarking.weights import benchmark_weights
from napari_mitostain.config import StainSettings

__all__ = ["benchmark"]

_STRIDE = 16
_SMALLEST_PATCH = 2 * _STRIDE


def benchmark(size: int = 1024, repeats: int = 5, settings: StainSettings = StainSettings()) -> dict[str, Any]:
    """Run all benchmarks; see `benchmark_staining`, `benchmark_weights` and `benchmark_training`.

    Parameters
    ----------
    size : int
        Side of the plane that is stained; the one that is weighed is twice as large, patches are a quarter of it.
    repeats : int
    settings : StainSettings
    """
    return {
        **benchmark_staining(size, repeats, settings),
        **benchmark_weights(2 * size, repeats),
        **benchmark_training(max(_SMALLEST_PATCH, size // 4 // _STRIDE * _STRIDE), repeats, settings),
        "threads": torch.get_num_threads(),
        "machine": platform.platform(),
    }
