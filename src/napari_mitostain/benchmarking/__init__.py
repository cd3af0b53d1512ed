"""Speed as ratios, measured in one run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from napari_mitostain.benchmarking.growth import benchmark_growth
from napari_mitostain.benchmarking.staining import benchmark_staining
from napari_mitostain.benchmarking.training import benchmark_training
from napari_mitostain.benchmarking.weights import benchmark_weights
from napari_mitostain.config import StainSettings
from napari_mitostain.errors import SettingsError

__all__ = ["benchmark"]

_STRIDE = 16
_SMALLEST_PATCH = 2 * _STRIDE


def benchmark(
    shape: tuple[int, int] = (1024, 1024),
    repeats: int = 5,
    settings: StainSettings = StainSettings(),
    full: bool = False,
) -> dict[str, Any]:
    """Run all benchmarks; see `benchmark_growth`, `benchmark_staining`, `benchmark_weights` and `benchmark_training`.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the plane that is stained; sizes grow to twice the height, the plane that is weighed is as
        high and wide as that, patches are a quarter of it.
    repeats : int
    settings : StainSettings
    full : bool
        Let sizes grow to 16384² pixels and 500 planes.
    """
    if min(shape) < 1 or repeats < 1:
        raise SettingsError(
            f"Expected a plane of at least one pixel and at least one repeat, got {shape[0]}×{shape[1]} and {repeats}; "
            "try 1024 and 5."
        )
    height = shape[0]
    growth = benchmark_growth(2 * height, full, settings)  # first: what others take is no peak of staining
    return {
        **benchmark_staining(shape, repeats, settings),
        **growth,
        **benchmark_weights(2 * height, repeats),
        **benchmark_training(max(_SMALLEST_PATCH, height // 4 // _STRIDE * _STRIDE), repeats, settings),
        "threads": torch.get_num_threads(),
        "machine": platform.platform(),
        "processor": _processor(),
        **{
            f"{name}_version": found
            for name in ("torch", "monai", "openvino", "numpy", "zarr")
            if (found := _version(name))
        },
    }


def _processor() -> str:
    """Return the processor's name as well as this system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
