"""Scores of a stain against fluorescence, and the baselines they are shown beside."""

from napari_mitostain.scoring.baselines import ceiling, constant_baseline, variance_baseline
from napari_mitostain.scoring.bootstrap import bootstrap_interval
from napari_mitostain.scoring.scores import DETAIL_SIGMA_PX, Scores, mean_scores, score

__all__ = [
    "DETAIL_SIGMA_PX",
    "Scores",
    "bootstrap_interval",
    "ceiling",
    "constant_baseline",
    "mean_scores",
    "score",
    "variance_baseline",
]
