"""Tiles that cannot be seen: a frozen plan of cores and halos, and the stitch that carries it out."""

from napari_mitostain.tiling.plan import Box, Geometry, Plan, Tile, plan_tile, plan_tiles
from napari_mitostain.tiling.stitch import pad, stitch, stitched

__all__ = ["Box", "Geometry", "Plan", "Tile", "pad", "plan_tile", "plan_tiles", "stitch", "stitched"]
