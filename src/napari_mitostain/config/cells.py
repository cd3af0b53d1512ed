"""Settings of simulated cells: what grows in them, and how it slows light down."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mitostain.config.base import Bounds, Settings, require_between, require_bounds
from napari_mitostain.errors import SettingsError

CELL_BOUNDS: Bounds = {
    "empty": (0, 1),
    "crowding": (0, 10),
    "mitochondria": (0, 3),
    "gathering_um": (1, 100),
    "fragmented": (0, 1),
    "tube_um": (0.2, 30),
    "tube_radius_um": (0.05, 1),
    "fragment_radius_um": (0.05, 1),
    "branching": (0, 1),
    "fusion": (0, 1),
    "label_cytosol": (0, 1),
    "aggregates": (0, 1),
    "vesicles": (0, 20),
    "vacuoles": (0, 20),
    "lipid": (0, 20),
    "vesicle_um": (0.05, 3),
    "vacuole_um": (0.05, 3),
    "lipid_um": (0.05, 3),
    "fibres": (0, 5),
    "texture": (0, 0.02),
    "texture_um": (0.03, 10),
    "texture_slope": (0, 5),
    "debris": (0, 1),
}


@dataclass(frozen=True, slots=True)
class Indices(Settings):
    """Refractive indices at about 0.55 µm.

    Attributes
    ----------
    medium, cytoplasm, nucleolus : float
        Within the ranges of the review of Liu et al., Lab Chip 16, 634-644 (2016): 1.337, 1.36 to 1.39, and 1.375 to
        1.385.
    mitochondrion : float
        There 1.40 to 1.42; a little less, since mitochondria of the real series can hardly be seen between granules.
    nucleoplasm : float
        Below cytoplasm: Schürmann et al., J. Biophotonics 9, 1068-1076 (2016).
    envelope : float
        Of the nucleus: two membranes (1.46 to 1.60; Meyer, Appl. Opt. 18, 585-588, 1979) and the water between and
        beside them, averaged over the 0.2 µm that the grid can show.
    lipid : float
        Triglycerides, of which lipid droplets are made.
    vesicle, vacuole : float
        Lysosomes and other dense granules, set a little above what Choi et al., Nat. Methods 4, 717-719 (2007) saw in
        whole cells (1.36 to 1.40), which is blurred, so that the contrast is that of the real series; and watery ones.
    fibre : float
        A bundle of actin: protein at 0.2 to 0.3 g/ml, at 0.18 ml/g (Barer, Nature 169, 366-367, 1952).
    debris : float
        Dry matter of dead cells.
    """

    medium: float = 1.337
    cytoplasm: float = 1.368
    nucleoplasm: float = 1.361
    envelope: float = 1.395
    nucleolus: float = 1.385
    mitochondrion: float = 1.395
    lipid: float = 1.46
    vesicle: float = 1.405
    vacuole: float = 1.345
    fibre: float = 1.38
    debris: float = 1.42

    def __post_init__(self) -> None:
        for name, index in self.to_dict().items():
            require_between(f"refractive index of {name}", index, 1.3, 1.7)


@dataclass(frozen=True, slots=True)
class CellSettings(Settings):
    """What grows in a cell.

    Numbers are per square micrometre of the cell seen from above; the defaults of mitochondria are calibrated by
    ``scripts/calibrate_simulation.py`` on 34 frames of living H9c2 cells (mCherry-OMP25, Sekh et al., Nat. Mach.
    Intell. 2021, MIT licence), the others by eye and spectrum on the brightfield of Somani et al., Biomed. Opt. Express
    13, 5495 (2022).

    Attributes
    ----------
    empty : float
        Part of the fields that no cell is in, only debris: a generator should learn to leave them dark.
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
    aggregates : float
        Number of lumps of label, brighter than mitochondria.
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

    empty: float = 0.0
    crowding: float = 1.2
    mitochondria: float = 0.29
    gathering_um: float = 20.0
    fragmented: float = 0.4
    tube_um: float = 3.1
    tube_radius_um: tuple[float, float] = (0.155, 0.225)
    fragment_radius_um: tuple[float, float] = (0.19, 0.29)
    branching: float = 0.12
    fusion: float = 0.2
    label_cytosol: float = 0.018
    aggregates: float = 0.0008
    vesicles: float = 1.7
    vacuoles: float = 0.03
    lipid: float = 0.18
    vesicle_um: float = 0.19
    vacuole_um: float = 0.4
    lipid_um: float = 0.18
    fibres: float = 0.05
    texture: float = 0.0015
    texture_um: float = 0.4
    texture_slope: float = 1.6
    debris: float = 0.003
    indices: Indices = Indices()

    def __post_init__(self) -> None:
        require_bounds(self, CELL_BOUNDS)
        if not isinstance(self.indices, Indices):
            raise SettingsError(f"Expected refractive indices, got {self.indices!r}; give Indices.")
