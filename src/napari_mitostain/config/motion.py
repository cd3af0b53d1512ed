"""Settings of how simulated cells live: what moves between the frames of a time-lapse, and how far."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mitostain.config.base import Bounds, Settings, require_bounds

MOTION_BOUNDS: Bounds = {
    "flow_um_s": (0, 1),
    "flow_um": (0.5, 50),
    "mitochondria_um_s": (0, 2),
    "persistence_s": (1, 1000),
    "divisions_per_min": (0, 10),
    "fusions_per_min": (0, 10),
    "granules_um2_s": (0, 1),
    "jumping": (0, 1),
    "jumps_um_s": (0, 5),
    "bleaching": (0, 1),
}


@dataclass(frozen=True, slots=True)
class MotionSettings(Settings):
    """What moves in a cell whose body and nucleus rest.

    Attributes
    ----------
    flow_um_s : float
        Root mean square speed at which cytoplasm carries and bends what is in it. Assumed.
    flow_um : float
        Distance over which that flow turns: tubes longer than this bend. Assumed.
    mitochondria_um_s : float
        Root mean square speed of mitochondria of their own, mostly along their axis: 90 nm/s in HL-1 cells (Beraud et
        al., J. Bioenerg. Biomembr. 41, 195-214, 2009). Most are slower, few are four times as fast; networks are slow.
    persistence_s : float
        How long a direction lasts. Assumed.
    divisions_per_min, fusions_per_min : float
        Of each mitochondrion that is long enough, or that ends near another. Cycles last 5 to 20 minutes (Twig et al.,
        EMBO J. 27, 433-446, 2008).
    granules_um2_s : float
        Diffusion coefficient of granules of 0.2 µm radius. Assumed; inverse to the radius as Bandyopadhyay et al., PLoS
        ONE 9, e86847 (2014) saw in lysosomes.
    jumping : float
        Part of the time that granules are carried by motors. Assumed.
    jumps_um_s : float
        Their speed then, along the cell. Assumed.
    bleaching : float
        Part of the label that each frame bleaches.
    """

    flow_um_s: float = 0.03
    flow_um: float = 3.0
    mitochondria_um_s: float = 0.09
    persistence_s: float = 15.0
    divisions_per_min: float = 0.1
    fusions_per_min: float = 0.1
    granules_um2_s: float = 0.002
    jumping: float = 0.03
    jumps_um_s: float = 0.5
    bleaching: float = 0.0

    def __post_init__(self) -> None:
        require_bounds(self, MOTION_BOUNDS)
