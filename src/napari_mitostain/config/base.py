"""What all settings share: a dictionary form, and values checked in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self, get_args

from napari_mitostain.errors import FileError, SettingsError

Bounds = Mapping[str, tuple[float, float]]
"""Least and largest value of settings, by name."""


class Settings:
    """What all settings share: a dictionary form, and choices checked in one place."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary, which `from_dict` takes back."""
        return {
            f.name: value.to_dict() if isinstance(value, Settings) else value
            for f in fields(self)  # type: ignore[arg-type]
            for value in [getattr(self, f.name)]
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild settings from `to_dict`; JSON lists become tuples again, unknown names are refused."""
        known = {f.name: f.default for f in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(set(values) - set(known)):
            raise SettingsError(f"Expected settings among {sorted(known)}, got {unknown}; remove or rename them.")
        return cls(**{name: _rebuilt(value, known[name]) for name, value in values.items()})


def _rebuilt(value: Any, default: object) -> Any:
    """Turn what JSON made of a setting back into its type."""
    if isinstance(default, Settings) and isinstance(value, dict):
        return type(default).from_dict(value)
    return tuple(value) if isinstance(value, list) else value


def require_choice(name: str, value: str, choices: object) -> None:
    """Raise `SettingsError` unless `value` is one of a ``Literal``'s choices."""
    allowed = get_args(choices)
    if value not in allowed:
        raise SettingsError(
            f"Expected {name.replace('_', ' ')} to be one of {', '.join(allowed)}, got {value!r}; choose one of them."
        )


def require_at_least(name: str, value: float, least: float) -> None:
    """Raise `SettingsError` unless `value` is a finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < inf:
        raise SettingsError(f"Expected {name} to be a number of at least {least}, got {value!r}; give such a number.")


def require_whole(name: str, value: int, least: int) -> None:
    """Raise `SettingsError` unless `value` is a whole number of at least `least`."""
    require_at_least(name, value, least)
    if not isinstance(value, int):
        raise SettingsError(f"Expected {name} to be a whole number, got {value!r}; round it.")


def require_above_zero(name: str, value: float) -> None:
    """Raise `SettingsError` unless `value` is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
        raise SettingsError(f"Expected {name} to be a number above zero, got {value!r}; give such a number.")


def require_fraction(name: str, value: float) -> None:
    """Raise `SettingsError` unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise SettingsError(f"Expected {name} to be a number from 0 to 1, got {value!r}; give such a number.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def require_numbers(name: str, values: Sequence[float], size: int) -> None:
    """Raise `SettingsError` unless `values` are `size` finite numbers."""
    if not isinstance(values, Sequence) or len(values) != size or not all(_is_number(value) for value in values):
        raise SettingsError(f"Expected {size} numbers for {name}, got {values!r}; give {size} of them.")


def require_whole_between(name: str, value: object, low: int, high: int) -> None:
    """Raise `SettingsError` unless `value` is a whole number, of Python or NumPy, from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise SettingsError(f"Expected {name} to be a whole number from {low} to {high}, got {value!r}; change it.")


def require_between(name: str, value: object, low: float, high: float) -> None:
    """Raise `SettingsError` unless `value` is a number, of Python or NumPy, from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise SettingsError(f"Expected {name} to be a number from {low:g} to {high:g}, got {value!r}; change it.")


def require_range(name: str, values: object, low: float, high: float) -> None:
    """Raise `SettingsError` unless `values` are two numbers from `low` to `high`, the second not below the first."""
    if not isinstance(values, (tuple, list)) or len(values) != 2:
        raise SettingsError(f"Expected least and largest {name}, got {values!r}; give two numbers.")
    for value in values:
        require_between(name, value, low, high)
    if values[0] > values[1]:
        raise SettingsError(f"Expected least and largest {name}, got {values!r}; swap them.")


def require_bounds(settings: Settings, bounds: Bounds) -> None:
    """Raise `SettingsError` unless all numbers lie between their bounds, and pairs of them rise."""
    for name, (low, high) in bounds.items():
        value, words = getattr(settings, name), name.removesuffix("_um").removesuffix("_px").replace("_", " ")
        if name.endswith("radius_um"):
            require_range(words, value, low, high)
        else:
            require_between(words, value, low, high)


def read_values(path: Path, kind: str, advice: str) -> dict[str, Any]:
    """Read the dictionary form of settings from a JSON file.

    Parameters
    ----------
    path : Path
    kind : str
        What the file should hold, for the errors: "settings".
    advice : str
        What to do about one that is damaged.

    Raises
    ------
    FileError, SettingsError
        If the file cannot be read, or is no JSON object.
    """
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise FileError(f"Expected a file of {kind}, got {path} ({error.strerror}); check the name.") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"Expected {kind} as JSON in {path}, got {error}; {advice}.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"Expected {kind} as a JSON object in {path}, got a list or value; {advice}.")
    return values
