"""Frozen settings: what a job was told to do, recorded with every result."""

from napari_mitostain.config.base import require_above_zero, require_at_least, require_whole
from napari_mitostain.config.simulation import CellSettings, Indices, MicroscopeSettings, SimulationSettings
from napari_mitostain.config.staining import Device, Precision, ScalingSettings, Scope, StainSettings, WeightSettings
from napari_mitostain.config.training import (
    Discriminator,
    DiscriminatorLoss,
    GeneratorLoss,
    Schedule,
    Split,
    TrainSettings,
)

__all__ = [
    "CellSettings",
    "Device",
    "Discriminator",
    "DiscriminatorLoss",
    "GeneratorLoss",
    "Indices",
    "MicroscopeSettings",
    "Precision",
    "ScalingSettings",
    "Schedule",
    "Scope",
    "Split",
    "SimulationSettings",
    "StainSettings",
    "TrainSettings",
    "WeightSettings",
    "require_above_zero",
    "require_at_least",
    "require_whole",
]
