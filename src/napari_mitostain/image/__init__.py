"""Planes and stacks, their scaling, and the files they come from and go to."""

from napari_mitostain.image.channels import notices_of_first
from napari_mitostain.image.destination import require_apart
from napari_mitostain.image.matching import matched_planes, place_in
from napari_mitostain.image.part_scaling import PlaneContrast, background_reach, measure_plane
from napari_mitostain.image.plane import UNITS, Box, PlaneIndex, Stack, guess_axes, load_array, sides
from napari_mitostain.image.scaling import IntensityRange, fill_non_finite, relative_stain, scale_brightfield
from napari_mitostain.image.units import LARGE, Unit, units_of

__all__ = [
    "LARGE",
    "UNITS",
    "Box",
    "IntensityRange",
    "PlaneContrast",
    "PlaneIndex",
    "Stack",
    "Unit",
    "background_reach",
    "fill_non_finite",
    "guess_axes",
    "load_array",
    "matched_planes",
    "measure_plane",
    "notices_of_first",
    "place_in",
    "relative_stain",
    "require_apart",
    "scale_brightfield",
    "sides",
    "units_of",
]
