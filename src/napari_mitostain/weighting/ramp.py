"""The weight as a function of intensity: the formula of DESIGN's bands, written so that no pixel needs a branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.bands import Bands

_NARROWEST = 1e-300
"""A band narrower than this has no line: its slope would be no float."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """The three lines of the formula, one after the other, as a sum of clipped intensities.

    In band n the formula gives ``a_n (F - M_{n-1}) / (M_n - M_{n-1}) + b_n``. Each line runs over its own band only,
    so their rises add up; what is left between the end of one line and the start of the next is a jump.

    Attributes
    ----------
    edges : tuple
        M1 and M2, from the minimum; floats, or tensors of shape ``(B, 1, 1, 1)``.
    slopes : tuple
        Of the three lines; 0 where a band is empty.
    start : float
        Weight of the minimum, b1.
    jumps : tuple of float
        Steps up after M1 and after M2; 0 in the paper.
    """

    edges: tuple[Any, Any]
    slopes: tuple[Any, Any, Any]
    start: float
    jumps: tuple[float, float]

    def steepness(self, top: float) -> float:
        """Return by how much the arithmetic may magnify the rounding of an intensity, `top` being the largest."""
        reach = (*self.edges, top)
        return max(abs(float(edge * slope)) for edge, slope in zip(reach, self.slopes, strict=True))


def ramp(edges: Bands, settings: WeightSettings) -> Ramp:
    """Turn bands, with the minimum at 0, and coefficients into lines.

    Parameters
    ----------
    edges : Bands
        From the minimum, see `Bands.above_minimum`.
    settings : WeightSettings
    """
    _, first, second, high = edges.edges
    (a1, a2, a3), (b1, b2, b3) = settings.a, settings.b
    slopes = (
        _slope(a1, first, abs(first) > _NARROWEST),  # below 0 no pixel lies in band 1, and all have its whole rise
        _slope(a2, second - first, second - first > _NARROWEST),
        _slope(a3, high - second, high - second > _NARROWEST),
    )
    return Ramp((first, second), slopes, b1, (_jump(b2, b1 + a1), _jump(b3, b2 + a2)))


def _slope(rise: float, width: Any, filled: Any) -> Any:
    return filled * (rise / (width + (1 - 1 * filled)))


def _jump(after: float, before: float) -> float:
    """Return the step between two lines; sums that differ by rounding alone, such as 0.1 + 0.2 and 0.3, make none."""
    step = after - before
    return 0.0 if abs(step) < 1e-12 * max(abs(after), abs(before)) else step
