"""Settings of the microscope that simulated cells are seen with."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mitostain.config.base import Bounds, Settings, require_bounds, require_whole_between

MICROSCOPE_BOUNDS: Bounds = {
    "objective_na": (0.1, 1.7),
    "condenser_na": (0.001, 1.2),
    "brightfield_um": (0.3, 1.2),
    "emission_um": (0.3, 1.2),
    "medium_index": (1, 1.7),
    "brightfield_offset_um": (-10, 10),
    "spherical": (0, 0.5),
    "coma": (0, 0.5),
    "astigmatism": (0, 0.5),
    "illumination": (0, 0.5),
    "mottle": (0, 0.3),
    "dust": (0, 1000),
    "registration_px": (0, 100),
    "brightfield_electrons": (1, 1e6),
    "fluorescence_electrons": (1, 1e6),
    "background_electrons": (0, 1e6),
    "headroom": (1, 100),
    "read_noise": (0, 1e4),
    "row_noise": (0, 1e4),
}


@dataclass(frozen=True, slots=True)
class MicroscopeSettings(Settings):
    """A widefield microscope, inverted, with a brightfield condenser and an sCMOS camera.

    Attributes
    ----------
    objective_na : float
        1.42, the 60× oil objective of the real pairs.
    condenser_na : float
        How wide a cone the brightfield illumination fills; the smaller, the more coherent.
    directions : int
        Plane waves that stand for that cone.
    brightfield_um, emission_um : float
        Wavelengths in air: green light, and the emission of eGFP.
    medium_index : float
        Refractive index of what the light is focused through: an average over cells.
    brightfield_offset_um : float
        How far above the fluorescence's focal plane that of brightfield lies: objectives are not quite achromatic.
    spherical, coma, astigmatism : float
        Aberrations of the objective, root mean square over its pupil in waves.
    illumination : float
        Standard deviation of the slopes of both illuminations, as parts of the intensity from the middle to the edge.
    mottle : float
        Standard deviation of the patches that stains on the optics leave in the brightfield.
    dust : float
        Rings of dust that is far out of focus, in a field of 82 µm.
    registration_px : float
        Standard deviation of the shift of fluorescence against brightfield, along rows and columns.
    brightfield_electrons, fluorescence_electrons : float
        Electrons a pixel collects from undisturbed brightfield, and from a mitochondrion in focus.
    background_electrons : float
        Electrons from stray light in fluorescence.
    headroom : float
        Brightest fluorescence that a frame reaches at least, relative to a mitochondrion in focus: what is brighter
        than mitochondria sets the contrast of a frame.
    read_noise, row_noise : float
        Root mean square in electrons, of a pixel (1.6 is common for sCMOS) and of a row.
    """

    objective_na: float = 1.42
    condenser_na: float = 0.3
    directions: int = 12
    brightfield_um: float = 0.52
    emission_um: float = 0.51
    medium_index: float = 1.36
    brightfield_offset_um: float = -0.7
    spherical: float = 0.03
    coma: float = 0.02
    astigmatism: float = 0.02
    illumination: float = 0.05
    mottle: float = 0.025
    dust: float = 3.0
    registration_px: float = 0.5
    brightfield_electrons: float = 750.0
    fluorescence_electrons: float = 90.0
    background_electrons: float = 6.0
    headroom: float = 3.5
    read_noise: float = 1.6
    row_noise: float = 0.4

    def __post_init__(self) -> None:
        require_whole_between("directions", self.directions, 1, 1000)
        require_bounds(self, MICROSCOPE_BOUNDS)
