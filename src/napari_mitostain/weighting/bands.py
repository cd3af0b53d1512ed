"""The three intensity bands of the TN weight map (Somani et al., BVM 2021, Eq. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Bands:
    """Edges of the bands: band n lies above ``edges[n - 1]`` up to and including ``edges[n]``.

    Attributes
    ----------
    edges : tuple
        M0 = min, M1 = µ + σ, M2 = µ + 3σ, M3 = max; floats, or tensors of shape ``(B, 1, 1, 1)``.
    """

    edges: tuple[Any, Any, Any, Any]

    def above_minimum(self) -> Bands:
        """Shift the edges so that the image's minimum is 0, which keeps float arithmetic exact under an offset."""
        low = self.edges[0]
        return Bands((low - low, *(edge - low for edge in self.edges[1:])))


def bands(statistics: Statistics, settings: WeightSettings = WeightSettings()) -> Bands:
    """Place the band edges for the measured statistics.

    Parameters
    ----------
    statistics : Statistics
        Of the patch, plane or stack that the weights are for.
    settings : WeightSettings
        Gives the multiples of σ, 1 and 3 in the paper.

    Returns
    -------
    Bands
    """
    first, second = settings.sigmas
    return Bands(
        (
            statistics.minimum,
            statistics.mean + first * statistics.std,
            statistics.mean + second * statistics.std,
            statistics.maximum,
        )
    )
