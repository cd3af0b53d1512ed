"""Lengths in micrometres and times in seconds, from the units that files name."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

_METRES = {
    1e-12: "pm picometer picometre",
    1e-10: "å angstrom",
    1e-9: "nm nanometer nanometre nanometers",
    1e-6: "µm um micron microns micrometer micrometre micrometers",
    1e-3: "mm millimeter millimetre",
    1e-2: "cm centimeter centimetre",
    2.54e-2: "inch in inches",
    1.0: "m meter metre",
}
_SECONDS = {
    1e-9: "ns nanosecond",
    1e-6: "µs us microsecond",
    1e-3: "ms msec millisecond milliseconds",
    1.0: "s sec second seconds",
    60.0: "min minute minutes",
    3600.0: "h hr hour hours",
}

COARSEST_UM = 20.0
"""A pixel larger than this in centimetres or inches is a setting for printers (72, 96, 300 or 1200 dpi)."""


def _normal(unit: str) -> str:
    # ImageJ writes the micro sign as an escape; Unicode has two of them, which NFKC makes one.
    return unicodedata.normalize("NFKC", unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ")).strip().casefold()


def _factors(table: Mapping[float, str]) -> dict[str, float]:
    return {_normal(unit): factor for factor, units in table.items() for unit in units.split()}


_FACTORS = {**{axis: _factors({m * 1e6: u for m, u in _METRES.items()}) for axis in "ZYX"}, "T": _factors(_SECONDS)}


def physical_scale(spacings: Mapping[str, tuple[Any, str | None]]) -> dict[str, float]:
    """Convert spacings to a stack's scale: micrometres for Z, Y, X and seconds for T.

    Parameters
    ----------
    spacings : mapping of str to tuple
        For each axis the spacing, and its unit.

    Returns
    -------
    dict of str to float
        Without the axes whose spacing or unit makes no sense.
    """
    converted = {axis: _convert(axis, value, unit) for axis, (value, unit) in spacings.items() if axis in _FACTORS}
    return {axis: value for axis, value in converted.items() if value is not None}


def for_printing(pixel_um: float, unit: str | None) -> bool:
    """Tell whether a pixel's size is a printer's resolution rather than a microscope's."""
    return _normal(unit or "") in {"cm", "inch", "in"} and pixel_um > COARSEST_UM


def _convert(axis: str, value: Any, unit: str | None) -> float | None:
    factor = _FACTORS[axis].get(_normal(unit or ""))
    try:
        spacing = float(value)
    except (TypeError, ValueError):
        return None
    if factor is None or not math.isfinite(spacing) or spacing <= 0:
        return None
    return round(spacing * factor, 12)
