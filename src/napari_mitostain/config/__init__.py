"""Frozen settings: what a job was told to do, recorded with every result."""

from napari_mitostain.config.base import (
    Bounds,
    read_values,
    require_above_zero,
    require_at_least,
    require_whole,
    require_whole_between,
)
from napari_mitostain.config.cells import CELL_BOUNDS, CellSettings, Indices
from napari_mitostain.config.microscope import MICROSCOPE_BOUNDS, MicroscopeSettings
from napari_mitostain.config.motion import MOTION_BOUNDS, MotionSettings
from napari_mitostain.config.simulation import SimulationSettings
from napari_mitostain.config.staining import (
    Backend,
    Device,
    Precision,
    ScalingSettings,
    Scope,
    StainPrecision,
    StainSettings,
    WeightSettings,
)
from napari_mitostain.config.training import (
    Discriminator,
    DiscriminatorLoss,
    GeneratorLoss,
    Schedule,
    Split,
    TrainSettings,
)

__all__ = [
    "CELL_BOUNDS",
    "MICROSCOPE_BOUNDS",
    "MOTION_BOUNDS",
    "Backend",
    "Bounds",
    "CellSettings",
    "Device",
    "Discriminator",
    "DiscriminatorLoss",
    "GeneratorLoss",
    "Indices",
    "MicroscopeSettings",
    "MotionSettings",
    "Precision",
    "ScalingSettings",
    "Schedule",
    "Scope",
    "SimulationSettings",
    "Split",
    "StainPrecision",
    "StainSettings",
    "TrainSettings",
    "WeightSettings",
    "read_values",
    "require_above_zero",
    "require_at_least",
    "require_whole",
    "require_whole_between",
]
