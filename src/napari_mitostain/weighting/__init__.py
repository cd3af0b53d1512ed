"""The TN weight map: statistics of the target, three bands, one weight for each pixel."""

from napari_mitostain.weighting.bands import Bands, bands
from napari_mitostain.weighting.statistics import Statistics, merged, statistics
from napari_mitostain.weighting.weight_map import tn_weights, weights_in_bands

__all__ = ["Bands", "Statistics", "bands", "merged", "statistics", "tn_weights", "weights_in_bands"]
