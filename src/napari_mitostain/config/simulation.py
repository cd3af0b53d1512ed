"""Settings of simulated cells: what grows in them, what they are seen with, and how far they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mitostain.config.base import (
    Settings,
    require_between,
    require_choice,
    require_range,
    require_whole_between,
)
from napari_mitostain.errors import SettingsError

Scaling = Literal["frame", "stack"]


@dataclass(frozen=True, slots=True)
class Indices(Settings):
    """Refractive indices at about 0.55 µm.

    Attributes
    ----------
    medium, cytoplasm, nucleolus, mitochondrion : float
        Within the ranges of the review of Liu et al., Lab Chip 16, 634-644 (2016): 1.337, 1.36 to 1.39, 1.375 to 1.385,
        and 1.40 to 1.42.
    nucleoplasm : float
        Below cytoplasm: Schürmann et al., J. Biophotonics 9, 1068-1076 (2016).
    envelope : float
        Of the nucleus: two membranes (1.46 to 1.60; Meyer, Appl. Opt. 18, 585-588, 1979) and the water between and
        beside them, averaged over the 0.2 µm that the grid can show.
    lipid : float
        Triglycerides, of which lipid droplets are made.
    vesicle, vacuole : float
        Lysosomes and other dense granules (Choi et al., Nat. Methods 4, 717-719, 2007, saw granules up to 1.40), and
        watery ones.
    fibre : float
        A bundle of actin: protein at 0.2 to 0.3 g/ml, at 0.18 ml/g (Barer, Nature 169, 366-367, 1952).
    debris : float
        Dry matter of dead cells.
    """

    medium: float = 1.337
    cytoplasm: float = 1.364
    nucleoplasm: float = 1.357
    envelope: float = 1.375
    nucleolus: float = 1.378
    mitochondrion: float = 1.405
    lipid: float = 1.46
    vesicle: float = 1.395
    vacuole: float = 1.345
    fibre: float = 1.38
    debris: float = 1.42

    def __post_init__(self) -> None:
        for name in self.__slots__:
            require_between(f"refractive index of {name}", getattr(self, name), 1.3, 1.7)


@dataclass(frozen=True, slots=True)
class CellSettings(Settings):
    """What grows in a cell.

    Numbers are per square micrometre of the cell seen from above; the defaults of mitochondria are calibrated by
    ``scripts/calibrate_simulation.py`` on 34 frames of living H9c2 cells (mCherry-OMP25, Sekh et al., Nat. Mach.
    Intell. 2021, MIT licence), the others by eye on the brightfield of Somani et al., Biomed. Opt. Express 13, 5495 (2022).

    Attributes
    ----------
    crowding : float
        Cells in view beside the first, for a field of 82 µm.
    mitochondria : float
        Number of mitochondria.
    gathering_um : float
        Distance from the nucleus over which mitochondria and granules become rare.
    fragmented : float
        Part of the mitochondria that are short rods and balls, not tubes.
    tube_um : float
        Median length of tubes.
    tube_radius_um, fragment_radius_um : tuple of float
        Least and largest.
    branching, fusion : float
        Parts of the tubes that begin on another, and whose end meets another.
    label_cytosol : float
        Label that has not reached a mitochondrion, relative to that in the outer membrane.
    vesicles, vacuoles, lipid : float
        Numbers of granules of each kind.
    vesicle_um, vacuole_um, lipid_um : float
        Their median radii.
    fibres : float
        Number of stress fibres.
    texture : float
        Standard deviation of the refractive index of cytoplasm and nucleoplasm.
    texture_um : float
        Structures of the texture larger than this are equally frequent.
    texture_slope : float
        How fast smaller ones fade: the amplitude falls as this power of their spatial frequency.
    debris : float
        Number of particles on the coverslip and in the medium, per square micrometre of the field.
    indices : Indices
    """

    crowding: float = 0.8
    mitochondria: float = 0.30
    gathering_um: float = 13.0
    fragmented: float = 0.45
    tube_um: float = 2.6
    tube_radius_um: tuple[float, float] = (0.15, 0.23)
    fragment_radius_um: tuple[float, float] = (0.18, 0.28)
    branching: float = 0.25
    fusion: float = 0.3
    label_cytosol: float = 0.02
    vesicles: float = 0.5
    vacuoles: float = 0.03
    lipid: float = 0.04
    vesicle_um: float = 0.2
    vacuole_um: float = 0.4
    lipid_um: float = 0.2
    fibres: float = 0.05
    texture: float = 0.003
    texture_um: float = 0.4
    texture_slope: float = 1.6
    debris: float = 0.003
    indices: Indices = Indices()

    def __post_init__(self) -> None:
        for name in ("mitochondria", "vesicles", "vacuoles", "lipid", "fibres", "debris"):
            require_between(name, getattr(self, name), 0, 5)
        for name in ("fragmented", "branching", "fusion", "label_cytosol"):
            require_between(name.replace("_", " "), getattr(self, name), 0, 1)
        for name in ("tube_radius_um", "fragment_radius_um"):
            require_range(name.replace("_um", "").replace("_", " "), getattr(self, name), 0.05, 1)
        require_between("crowding", self.crowding, 0, 5)
        require_between("gathering", self.gathering_um, 1, 100)
        require_between("length of tubes", self.tube_um, 0.2, 30)
        require_between("texture", self.texture, 0, 0.02)
        require_between("slope of the texture", self.texture_slope, 0, 5)
        for name in ("vesicle_um", "vacuole_um", "lipid_um", "texture_um"):
            require_between(name.replace("_um", ""), getattr(self, name), 0.03, 3)


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
    dust : float
        Rings of dust that is far out of focus, in a field of 82 µm.
    registration_px : float
        Standard deviation of the shift of fluorescence against brightfield, along rows and columns.
    brightfield_electrons, fluorescence_electrons : float
        Electrons a pixel collects from undisturbed brightfield, and from a mitochondrion in focus.
    background_electrons : float
        Electrons from stray light in fluorescence.
    read_noise, row_noise : float
        Root mean square in electrons, of a pixel (1.6 is common for sCMOS) and of a row.
    """

    objective_na: float = 1.42
    condenser_na: float = 0.3
    directions: int = 12
    brightfield_um: float = 0.56
    emission_um: float = 0.51
    medium_index: float = 1.36
    brightfield_offset_um: float = -0.6
    spherical: float = 0.03
    coma: float = 0.02
    astigmatism: float = 0.02
    illumination: float = 0.05
    dust: float = 3.0
    registration_px: float = 0.5
    brightfield_electrons: float = 900.0
    fluorescence_electrons: float = 75.0
    background_electrons: float = 6.0
    read_noise: float = 1.6
    row_noise: float = 0.4

    def __post_init__(self) -> None:
        require_between("aperture of the objective", self.objective_na, 0.1, 1.7)
        require_between("aperture of the condenser", self.condenser_na, 0.001, 1.2)
        require_whole_between("directions", self.directions, 1, 1000)
        require_between("refractive index of the medium", self.medium_index, 1, 1.7)
        for name in ("brightfield_um", "emission_um"):
            require_between(f"wavelength {name}", getattr(self, name), 0.3, 1.2)
        require_between("offset of the brightfield's focus", self.brightfield_offset_um, -10, 10)
        for name in ("spherical", "coma", "astigmatism", "illumination"):
            require_between(name, getattr(self, name), 0, 0.5)
        for name in ("dust", "registration_px", "background_electrons", "read_noise", "row_noise"):
            require_between(name.replace("_", " "), getattr(self, name), 0, 1e4)
        for name in ("brightfield_electrons", "fluorescence_electrons"):
            require_between(name.replace("_", " "), getattr(self, name), 1, 1e6)


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
    pixel_size_um : float
        Side of a pixel in the object, 0.03 to 0.25.
    focus_um : float
        Height of the middle plane above the coverslip; most mitochondria of spread cells lie there.
    bits : {8, 16}
    scaling : {"frame", "stack"}
        Whether minimum and maximum of each plane, as in the real pairs, or of all planes become the ends of the range.
    randomise : float
        How far focus, cell and microscope vary from pair to pair: 0 not at all, 1 as in the real series, more is wider.
    cell : CellSettings
    microscope : MicroscopeSettings
    """

    shape: tuple[int, int] = (512, 512)
    planes: int = 1
    plane_spacing_um: float = 0.5
    pixel_size_um: float = 0.08
    focus_um: float = 1.5
    bits: Literal[8, 16] = 8
    scaling: Scaling = "frame"
    randomise: float = 1.0
    cell: CellSettings = CellSettings()
    microscope: MicroscopeSettings = MicroscopeSettings()

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) != 2:
            raise SettingsError(f"Expected a shape of rows and columns, got {self.shape!r}; try (512, 512).")
        for name, size in zip(("rows", "columns"), self.shape, strict=True):
            require_whole_between(name, size, 16, 2048)
        require_whole_between("planes", self.planes, 1, 200)
        require_between("plane spacing", self.plane_spacing_um, 0.01, 10)
        require_between("pixel size", self.pixel_size_um, 0.03, 0.25)
        require_between("focus", self.focus_um, -100, 100)
        require_between("randomise", self.randomise, 0, 3)
        require_choice("scaling", self.scaling, Scaling)
        if self.bits not in (8, 16):
            raise SettingsError(f"Expected 8 or 16 bits, got {self.bits!r}; choose one of them.")
