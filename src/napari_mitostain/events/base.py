"""What all events are, and the one that any job may say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf, isfinite
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events; `time` is in seconds since 1970."""

    time: float = field(default_factory=time.time)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values: arrays are left out, "event" names its kind.

        None stands for what is infinite, such as the PSNR of equal images, which JSON has no number for.
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"event": type(self).__name__} | {k: finite_or_none(v) for k, v in values.items() if _is_plain(v)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something the user should know; the job goes on."""

    message: str


def finite_or_none(value: Any) -> Any:
    """Return plain values with None in place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(finite_or_none, value))
    return None if isinstance(value, float) and not isfinite(value) else value


def infinite_for_none(value: Any) -> Any:
    """Return scores that were read from JSON with what `finite_or_none` took out of them."""
    if isinstance(value, Mapping):
        return {key: infinite_for_none(item) for key, item in value.items()}
    return inf if value is None else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, (str, int, float, bool))
