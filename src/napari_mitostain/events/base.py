"""What all events are, and the one that any job may say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events; `time` is in seconds since 1970."""

    time: float = field(default_factory=time.time)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values: arrays are left out, "event" names its kind."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"event": type(self).__name__} | {k: v for k, v in values.items() if _is_plain(v)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something the user should know; the job goes on."""

    message: str


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, (str, int, float, bool))
