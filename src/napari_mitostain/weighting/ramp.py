"""The weight as a function of intensity: the formula of the bands, written so that no pixel needs a branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.bands import Bands

_NARROWEST = 1e-300
"""A band narrower than this has no line: its slope would be no float."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """The three lines of the formula as one line that bends at M1 and at M2.

    In band n the formula gives ``a_n (F - M_{n-1}) / (M_n - M_{n-1}) + b_n``. With F counted from the minimum that is
    ``start + slope F``, plus ``bend max(F - edge, 0)`` for each edge, plus a jump after an edge where two lines do not
    meet. Numbers, or tensors of shape ``(B, 1, 1, 1)``.

    Attributes
    ----------
    edges : tuple
        M1 and M2, from the minimum.
    slope : float
        Of the first line.
    bends : tuple
        By how much steeper the line goes on after each edge.
    start : float
        Weight of the minimum, b1.
    jumps : tuple
        Steps up after each edge; 0 in the paper, unless a band is empty that others lie beyond.
    steepness : float
        Steepest slope times the largest intensity: by how much rounding of an intensity may be magnified.
    """

    edges: tuple[Any, Any]
    slope: Any
    bends: tuple[Any, Any]
    start: Any
    jumps: tuple[Any, Any]
    steepness: Any


def ramp(edges: Bands, settings: WeightSettings) -> Ramp:
    """Turn bands, with the minimum at 0, and coefficients into a bending line.

    Parameters
    ----------
    edges : Bands
        From the minimum, see `Bands.above_minimum`.
    settings : WeightSettings
    """
    _, first, second, high = edges.edges
    (a1, a2, a3), (b1, b2, b3) = settings.a, settings.b
    slopes = _slope(a1, first), _slope(a2, second - first), _slope(a3, high - second)
    return Ramp(
        edges=(first, second),
        slope=slopes[0],
        bends=(slopes[1] - slopes[0], slopes[2] - slopes[1]),
        start=b1 + a1 * (first < 0),  # M1 below the minimum: no pixel lies in band 1, and all are past its whole rise
        jumps=(
            _jump(b2, b1 + a1) + a1 * (1 - 1 * ((first > _NARROWEST) | (first < 0))),  # a band that is a point
            _jump(b3, b2 + a2) + a2 * (1 - 1 * (second - first > _NARROWEST)),  # has no line to rise along
        ),
        steepness=high * sum(abs(slope) for slope in slopes),
    )


def _slope(rise: float, width: Any) -> Any:
    """Return the slope of a band's line, 0 if the band is empty."""
    filled = 1 * (width > _NARROWEST)
    return filled * (rise / (width * filled + (1 - filled)))


def _jump(after: float, before: float) -> float:
    """Return the step between two lines; sums that differ by rounding alone, such as 0.1 + 0.2 and 0.3, make none."""
    step = after - before
    return 0.0 if abs(step) < 1e-12 * max(abs(after), abs(before)) else step
