"""What file names say: which acquisition an image belongs to, and its time and depth there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_POSITION = re.compile(r"(_t(?P<T>\d+))?(_z(?P<Z>\d+))?(_\d+)?$", re.IGNORECASE)
"""What a file name says about time, depth and crop within its acquisition."""

_TIME_OR_DEPTH = re.compile(r"_[tz]\d+(_\d+)?\.", re.IGNORECASE)


def acquisition_names(files: Sequence[str]) -> dict[str, str]:
    """Map file names to acquisitions: the name without its time ``_t001``, depth ``_z005`` and crop number ``_10``.

    Where that leaves one acquisition for all files, and no name has a time or a depth, the numbers are taken to be
    fields of view, and each file is an acquisition of its own.
    """
    stems = {name: stem_of(name) for name in files}
    shortened = {name: _POSITION.sub("", stem) for name, stem in stems.items()}
    numbered = len(set(shortened.values())) == 1 and not any(map(_TIME_OR_DEPTH.search, files))
    return stems if numbered else shortened


def place_of(name: str) -> dict[str, int]:
    """Return time "T" and depth "Z" as far as a file name tells them."""
    found = _POSITION.search(stem_of(name))
    groups = found.groupdict() if found else {}
    return {axis: int(digits) for axis, digits in groups.items() if digits}


def stem_of(name: str) -> str:
    """Return the name of an image file without what tells its format."""
    return Path(name).stem.removesuffix(".ome")
