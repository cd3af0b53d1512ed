"""The TN weight map: statistics of the target, three bands, one weight for each pixel."""

from napari_mitostain.weighting.bands import Bands, bands
from napari_mitostain.weighting.loss_view import LossView, view_loss
from napari_mitostain.weighting.plane_view import Histogram, PlaneView, histogram, view_plane
from napari_mitostain.weighting.ramp import Ramp, ramp
from napari_mitostain.weighting.shares import BAND_NAMES, Shares, band_numbers, band_shares
from napari_mitostain.weighting.statistics import Statistics, merged, statistics
from napari_mitostain.weighting.weight_map import tn_weights

__all__ = [
    "BAND_NAMES",
    "Bands",
    "Histogram",
    "LossView",
    "PlaneView",
    "Ramp",
    "Shares",
    "Statistics",
    "band_numbers",
    "band_shares",
    "bands",
    "histogram",
    "merged",
    "ramp",
    "statistics",
    "tn_weights",
    "view_loss",
    "view_plane",
]
