"""Frozen settings: what a job was told to do, recorded with every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf, isclose, isfinite
from typing import Any, Literal, Self, get_args

from napari_mitostain.errors import SettingsError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Scope = Literal["patch", "plane", "stack"]
GeneratorLoss = Literal["tn", "l1"]
DiscriminatorLoss = Literal["mse", "focal", "jaccard", "dice-bce", "none"]
Split = Literal["acquisition", "patch"]

_APART = 1e-6
"""Least distance of the two thresholds of the weights, in standard deviations."""


class _Settings:
    """What all settings share: a dictionary form, and choices checked in one place."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary, which `from_dict` takes back."""
        return {
            f.name: value.to_dict() if isinstance(value, _Settings) else value
            for f in fields(self)  # type: ignore[arg-type]
            for value in [getattr(self, f.name)]
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild settings from `to_dict`; JSON lists become tuples again, unknown names are refused."""
        known = {f.name: f.default for f in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(set(values) - set(known)):
            raise SettingsError(f"Expected settings among {sorted(known)}, got {unknown}; remove or rename them.")
        return cls(**{name: _rebuilt(value, known[name]) for name, value in values.items()})


def _rebuilt(value: Any, default: object) -> Any:
    """Turn what JSON made of a setting back into its type."""
    if isinstance(default, _Settings) and isinstance(value, dict):
        return type(default).from_dict(value)
    return tuple(value) if isinstance(value, list) else value


def require_choice(name: str, value: str, choices: object) -> None:
    """Raise `SettingsError` unless `value` is one of a ``Literal``'s choices."""
    allowed = get_args(choices)
    if value not in allowed:
        raise SettingsError(f"Expected {name} to be one of {', '.join(allowed)}, got {value!r}; choose one of them.")


def require_at_least(name: str, value: float, least: float) -> None:
    """Raise `SettingsError` unless `value` is a finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < inf:
        raise SettingsError(f"Expected {name} to be a number of at least {least}, got {value!r}; give such a number.")


def require_whole(name: str, value: int, least: int) -> None:
    """Raise `SettingsError` unless `value` is a whole number of at least `least`."""
    require_at_least(name, value, least)
    if not isinstance(value, int):
        raise SettingsError(f"Expected {name} to be a whole number, got {value!r}; round it.")


def require_above_zero(name: str, value: float) -> None:
    """Raise `SettingsError` unless `value` is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
        raise SettingsError(f"Expected {name} to be a number above zero, got {value!r}; give such a number.")


def require_fraction(name: str, value: float) -> None:
    """Raise `SettingsError` unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise SettingsError(f"Expected {name} to be a number from 0 to 1, got {value!r}; give such a number.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def require_numbers(name: str, values: Sequence[float], size: int) -> None:
    """Raise `SettingsError` unless `values` are `size` finite numbers."""
    if not isinstance(values, Sequence) or len(values) != size or not all(_is_number(value) for value in values):
        raise SettingsError(f"Expected {size} numbers for {name}, got {values!r}; give {size} of them.")


@dataclass(frozen=True, slots=True)
class ScalingSettings(_Settings):
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
class WeightSettings(_Settings):
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
class StainSettings(_Settings):
    """How a stack is stained.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
    precision : {"auto", "float32", "bfloat16"}
    tile : int, optional
        Side of a tile's core in pixels, rounded up to the generator's stride; by default chosen for the device.
    resample : bool
        Resample each plane to the model's pixel size, and the stain back to the plane's.
    """

    device: Device = "auto"
    precision: Precision = "auto"
    tile: int | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        require_choice("device", self.device, Device)
        require_choice("precision", self.precision, Precision)
        if self.tile is not None and (isinstance(self.tile, bool) or not isinstance(self.tile, int) or self.tile < 1):
            raise SettingsError(f"Expected a tile size of at least 1 pixel, got {self.tile!r}; try 512.")


@dataclass(frozen=True, slots=True)
class TrainSettings(_Settings):
    """One training run; the defaults are the paper's where it gives them (patch, crops, minimum area, losses).

    Attributes
    ----------
    epochs : int, optional
        Passes over the training patches; give this or `minutes`.
    minutes : float, optional
        Wall-clock budget; the learning rate is annealed over it.
    batch_size, patch : int
        Patches a step, and their side in pixels.
    crops_per_frame : int
        Random crops of a frame in an epoch; a frame of the patch's own size gives one.
    minimum_area : float
        Crops with a smaller fraction of pixels above the frame's mean + 1 standard deviation are dropped.
    generator_loss : {"tn", "l1"}
    weighting : WeightSettings
        Coefficients of the TN loss; its scope says over what a patch's weights take their statistics: the patch
        itself, its whole plane, or all planes of its acquisition.
    discriminator_loss : {"mse", "focal", "jaccard", "dice-bce", "none"}
    weight_l1 : float
        λ, the factor of the (weighted) L1 term beside the adversarial term.
    split : {"acquisition", "patch"}
        Whole acquisitions are left out for validation, or (leaking) single patches, as in the paper.
    holdout : tuple of str, optional
        Acquisitions left out for validation, by name or its end; none if empty, by default a tenth chosen by the seed.
    base_channels, depth : int
        Width and number of halvings of the generator.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 4
    patch: int = 256
    crops_per_frame: int = 25
    minimum_area: float = 0.2
    learning_rate: float = 1e-3
    generator_loss: GeneratorLoss = "tn"
    weighting: WeightSettings = WeightSettings(scope="patch")
    discriminator_loss: DiscriminatorLoss = "mse"
    weight_l1: float = 100.0
    split: Split = "acquisition"
    holdout: tuple[str, ...] | None = None
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    base_channels: int = 16
    depth: int = 4
    pixel_size_um: float | None = None

    def __post_init__(self) -> None:
        require_choice("device", self.device, Device)
        require_choice("precision", self.precision, Precision)
        require_choice("generator loss", self.generator_loss, GeneratorLoss)
        require_choice("discriminator loss", self.discriminator_loss, DiscriminatorLoss)
        require_choice("split", self.split, Split)
        if not isinstance(self.weighting, WeightSettings):
            raise SettingsError(f"Expected coefficients as weighting, got {self.weighting!r}; give WeightSettings.")
        for name in ("batch_size", "patch", "crops_per_frame", "base_channels", "depth"):
            require_whole(name, getattr(self, name), 1)
        require_whole("seed", self.seed, 0)
        require_fraction("minimum_area", self.minimum_area)
        require_at_least("weight_l1", self.weight_l1, 0)
        require_above_zero("learning_rate", self.learning_rate)
        if self.pixel_size_um is not None:
            require_above_zero("pixel_size_um", self.pixel_size_um)
        if (self.epochs is None) == (self.minutes is None):
            raise SettingsError("Expected either epochs or minutes, got both or neither; give one of them.")
        if self.epochs is not None:
            require_whole("epochs", self.epochs, 1)
        if self.minutes is not None:
            require_above_zero("minutes", self.minutes)
        if self.patch % 2**self.depth or self.patch == 2**self.depth:  # one cell has no variance to normalise by
            raise SettingsError(f"Expected a patch of several times {2**self.depth} pixels, got {self.patch}; try 256.")
