"""Settings of staining: scaling, weights, device."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import Literal

from napari_mitostain.config.base import Settings, require_at_least, require_choice, require_numbers
from napari_mitostain.errors import SettingsError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
StainPrecision = Literal["auto", "float32", "bfloat16", "float16"]
"""Training has no float16: its gradients would vanish."""
Backend = Literal["torch", "openvino"]
Scope = Literal["patch", "plane", "stack"]

_APART = 1e-6
"""Least distance of the two thresholds of the weights, in standard deviations."""


_LEAST_GPU_MEMORY_GB = 0.1
"""With less, tiles would be halo only."""


@dataclass(frozen=True, slots=True)
class ScalingSettings(Settings):
    """How a brightfield plane is brought to the contrast the generator was trained on.

    Attributes
    ----------
    background_px : float
        Standard deviation, in pixels, of the Gaussian-like blur that estimates the background.
    percentiles : tuple of float
        The two percentiles of the background-free plane whose distance measures its contrast.
    """

    background_px: float = 20.0
    percentiles: tuple[float, float] = (1.0, 99.0)

    def __post_init__(self) -> None:
        require_at_least("background_px", self.background_px, 1)
        require_numbers("percentiles", self.percentiles, 2)
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise SettingsError(
                f"Expected two rising percentiles in 0..100, got {self.percentiles}; swap or change them."
            )


@dataclass(frozen=True, slots=True)
class WeightSettings(Settings):
    """Coefficients of the TN weight map (Somani et al., BVM 2021, Eq. 1 and 2).

    Attributes
    ----------
    a, b : tuple of float
        Slope and offset of the weight in bands 1 to 3.
    sigmas : tuple of float
        The thresholds M1 and M2 in standard deviations above the mean.
    scope : {"patch", "plane", "stack"}
        The pixels that the mean, the standard deviation, the minimum and the maximum are taken over.
    """

    a: tuple[float, float, float] = (0.2, 0.5, 0.3)
    b: tuple[float, float, float] = (0.0, 0.2, 0.7)
    sigmas: tuple[float, float] = (1.0, 3.0)
    scope: Scope = "plane"

    def __post_init__(self) -> None:
        require_choice("scope", self.scope, Scope)
        for name, size in (("a", 3), ("b", 3), ("sigmas", 2)):
            require_numbers(name, getattr(self, name), size)
        if not self.sigmas[1] - self.sigmas[0] >= _APART:
            raise SettingsError(
                f"Expected sigmas to rise by at least {_APART}, got {self.sigmas}; change or swap them."
            )

    def concerns(self) -> tuple[str, ...]:
        """Say what is unusual about the coefficients: a map that jumps, falls, or leaves [0, 1] still trains."""
        ends = [b + a for a, b in zip(self.a, self.b, strict=True)]
        meet = [isclose(end, b, abs_tol=1e-9) for end, b in zip(ends[:2], self.b[1:], strict=True)]
        found = []
        if not all(meet):
            edges = " and ".join(f"M{number}" for number, met in enumerate(meet, start=1) if not met)
            found.append(f"The weights jump at {edges}: the map is not continuous.")
        if min(self.a) < 0 or any(end > b + 1e-9 for end, b in zip(ends[:2], self.b[1:], strict=True)):
            found.append("The weights fall somewhere with rising intensity: the map is not monotone.")
        if min(*self.b, *ends) < -1e-9 or max(*self.b, *ends) > 1 + 1e-9:
            found.append("Some weights lie outside 0 to 1: the loss changes its size beside the adversarial term.")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class StainSettings(Settings):
    """How a stack is stained.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    precision : {"auto", "float32", "bfloat16", "float16"}
    tile : int, optional
        Side of a tile's core in pixels, rounded up to the generator's stride; by default chosen for the device.
    resample : bool
        Resample each plane to the model's pixel size, and the stain back to the plane's.
    gpu_memory_gb : float, optional
        Memory of a GPU that tiles and batches are chosen for, in 10⁹ bytes; by default half of what is free. A
        processor's memory is not meant.
    backend : {"torch", "openvino"}
        What runs the network on a processor; OpenVINO is an extra, and a GPU is left to torch.
    """

    device: Device = "auto"
    precision: StainPrecision = "auto"
    tile: int | None = None
    resample: bool = False
    gpu_memory_gb: float | None = None
    backend: Backend = "torch"

    def __post_init__(self) -> None:
        if self.gpu_memory_gb is not None:
            require_at_least("gpu memory gb", self.gpu_memory_gb, _LEAST_GPU_MEMORY_GB)
        require_choice("device", self.device, Device)
        require_choice("precision", self.precision, StainPrecision)
        require_choice("backend", self.backend, Backend)
        if self.backend == "openvino" and self.precision == "float16":
            raise SettingsError("Expected float32 or bfloat16 for OpenVINO, got float16; choose another precision.")
        if self.tile is not None and (isinstance(self.tile, bool) or not isinstance(self.tile, int) or self.tile < 1):
            raise SettingsError(f"Expected a tile size of at least 1 pixel, got {self.tile!r}; try 512.")
