"""Settings of a simulated pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mitostain.config.base import Settings, require_between, require_choice, require_whole_between
from napari_mitostain.config.cells import CellSettings
from napari_mitostain.config.microscope import MicroscopeSettings
from napari_mitostain.config.motion import MotionSettings
from napari_mitostain.errors import SettingsError

Scaling = Literal["frame", "stack"]

_WIDEST_UM = 200.0
"""Cells are grown and lit on pixels of at most 0.09 µm, whatever the camera's: a wider field needs too much memory."""

_MOST_PLANES = 1000
"""All planes of a time-lapse are held in memory, since they may share a scale."""


@dataclass(frozen=True, slots=True)
class SimulationSettings(Settings):
    """A simulated pair.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns, 16 to 2048 each.
    planes : int
        Number of focal planes, 1 to 200.
    plane_spacing_um : float
        Distance of the focal planes, 0.01 to 10.
    times : int
        Number of times, several make a time-lapse; 1000 planes at most in all of them.
    interval_s : float
        Seconds between them, 0.01 to 600.
    pixel_size_um : float
        Side of a pixel in the object, 0.03 to 0.25; the field is at most 200 µm wide.
    focus_um : float
        Height of the middle plane above the coverslip; most mitochondria of spread cells lie there.
    bits : {8, 16}
    scaling : {"frame", "stack"}
        Whether minimum and maximum of each plane, as in the real pairs, or of all planes and times become the ends of
        the range.
    randomise : float
        How far focus, cell and microscope vary from pair to pair: 0 not at all, 1 as in the real series, more is wider.
    cell : CellSettings
    microscope : MicroscopeSettings
    motion : MotionSettings
        What happens between two times.
    """

    shape: tuple[int, int] = (512, 512)
    planes: int = 1
    plane_spacing_um: float = 0.5
    pixel_size_um: float = 0.08
    focus_um: float = 1.1
    bits: Literal[8, 16] = 8
    scaling: Scaling = "frame"
    randomise: float = 1.0
    cell: CellSettings = CellSettings()
    microscope: MicroscopeSettings = MicroscopeSettings()
    times: int = 1
    interval_s: float = 5.0
    motion: MotionSettings = MotionSettings()

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) != 2:
            raise SettingsError(f"Expected a shape of rows and columns, got {self.shape!r}; try (512, 512).")
        for name, size in zip(("rows", "columns"), self.shape, strict=True):
            require_whole_between(name, size, 16, 2048)
        require_whole_between("planes", self.planes, 1, 200)
        require_between("plane spacing", self.plane_spacing_um, 0.01, 10)
        require_whole_between("times", self.times, 1, _MOST_PLANES // self.planes)
        require_between("interval", self.interval_s, 0.01, 600)
        require_between("pixel size", self.pixel_size_um, 0.03, 0.25)
        if max(self.shape) * self.pixel_size_um > _WIDEST_UM:
            raise SettingsError(
                f"Expected a field of at most {_WIDEST_UM:g} µm, got {max(self.shape) * self.pixel_size_um:g} µm; "
                "ask for fewer or smaller pixels."
            )
        require_between("focus", self.focus_um, -100, 100)
        require_between("randomise", self.randomise, 0, 3)
        require_choice("scaling", self.scaling, Scaling)
        for name, kind in (("cell", CellSettings), ("microscope", MicroscopeSettings), ("motion", MotionSettings)):
            if not isinstance(getattr(self, name), kind):
                raise SettingsError(f"Expected settings as {name}, got {getattr(self, name)!r}; give {kind.__name__}.")
        if self.bits not in (8, 16):
            raise SettingsError(f"Expected 8 or 16 bits, got {self.bits!r}; choose one of them.")
