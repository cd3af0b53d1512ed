"""Which pairs a run learns from, and which score it, as its ``pairs.json`` says from its start to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from napari_mitostain.errors import TrainingError, clause
from napari_mitostain.image.files import atomic_write
from napari_mitostain.training.pair import Box, Pair
from napari_mitostain.training.pairs import Opened
from napari_mitostain.training.split import Split
from napari_mitostain.weighting import Statistics

_PARTS = ("training", "validation", "test")

_Sizes = tuple[int | None, int | None]
"""Bytes of brightfield and fluorescence; None for an image that is a folder."""


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """A pair, and what it is for.

    Attributes
    ----------
    name : str
        Of the whole plane.
    part : str
        "training", "validation", "test" or "unused".
    shape : tuple of int
        Height and width of the whole plane.
    box : tuple of slice, optional
    measured : Statistics, optional
        See `Pair`.
    """

    name: str
    part: str
    shape: tuple[int, int]
    box: Box | None = None
    measured: Statistics | None = None

    def of(self, plane: Pair) -> Pair:
        """Make this pair again of its whole plane."""
        pair = replace(plane, measured=self.measured)
        return pair if self.box is None else pair.part(self.box)


@dataclass(frozen=True, slots=True)
class RunPairs:
    """All pairs that there were when a run began.

    Attributes
    ----------
    sentence : str
        How they were split.
    files : mapping of str to tuple of int
        Bytes of both images of each name; empty for pairs in memory.
    pairs : tuple of RecordedPair
        In the order of each part.
    """

    sentence: str
    files: Mapping[str, _Sizes]
    pairs: tuple[RecordedPair, ...]

    @classmethod
    def of(cls, opened: Opened, split: Split) -> RunPairs:
        """Record a split of pairs that were opened."""
        planes = {pair.source: pair for pair in opened.pairs}
        recorded = [
            RecordedPair(planes[pair.source].name, part, planes[pair.source].shape, pair.box, pair.measured)
            for part in _PARTS
            for pair in getattr(split, part)
        ]
        used = {pair.name for pair in recorded}
        recorded += [RecordedPair(pair.name, "unused", pair.shape) for pair in opened.pairs if pair.name not in used]
        return cls(split.sentence, {name: _sizes(paths) for name, paths in opened.files.items()}, tuple(recorded))

    def split(self, opened: Opened) -> Split:
        """Give each pair the part that it had.

        Raises
        ------
        TrainingError
            If one that is used is gone, or is not what it was.
        """
        planes = {pair.name: pair for pair in opened.pairs}
        parts: dict[str, list[Pair]] = {part: [] for part in _PARTS}
        for pair in self.pairs:
            if pair.part in parts:
                self._require(pair, planes, opened)
                parts[pair.part].append(pair.of(planes[pair.name]))
        return Split(**parts, sentence=self.sentence)

    def newcomers(self, opened: Opened) -> int:
        """Count what has come since: files, or pairs in memory."""
        if self.files:
            return len(opened.files.keys() - self.files.keys())
        return len({pair.name for pair in opened.pairs} - {pair.name for pair in self.pairs})

    def _require(self, pair: RecordedPair, planes: Mapping[str, Pair], opened: Opened) -> None:
        """See that a pair is there and of the size that it had, without reading its pixels."""
        file = _file_of(pair.name, self.files)
        before, now = (self.files.get(file), _sizes(opened.files[file])) if file in opened.files else (None, None)
        fault = next((finding.message for finding in opened.findings if file in finding.pairs), "none")
        expected = f"Expected the pair {pair.name}, which the run began with,"
        if before is not None and before != now and None not in (now or ()):
            raise TrainingError(
                f"{expected} as it was, got images of {now} instead of {before} bytes; put it back or start a new run."
            )
        if pair.name not in planes:
            got = fault if fault == "none" else f"none that can be used ({clause(TrainingError(fault))})"
            raise TrainingError(f"{expected} got {got}; put it back or start a new run.")
        if planes[pair.name].shape != pair.shape:
            raise TrainingError(
                f"{expected} of {pair.shape} pixels, got {planes[pair.name].shape}; put it back or start a new run."
            )


def write_run_pairs(path: Path, pairs: RunPairs) -> None:
    """Write ``pairs.json``; see `read_run_pairs`."""
    values = {"sentence": pairs.sentence, "files": pairs.files, "pairs": [_to_dict(pair) for pair in pairs.pairs]}
    atomic_write(path, json.dumps(values).encode())


def read_run_pairs(path: Path) -> RunPairs | None:
    """Read ``pairs.json``; None for a run that began before there was such a file.

    Raises
    ------
    TrainingError
        If it is damaged.
    """
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
        files = {str(name): (one, other) for name, (one, other) in values["files"].items()}
        return RunPairs(str(values["sentence"]), files, tuple(map(_from_dict, values["pairs"])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise TrainingError(
            f"Expected the pairs of a run in {path}, got some with a fault ({clause(error)}); start a new run."
        ) from error


def _to_dict(pair: RecordedPair) -> dict[str, Any]:
    box = None if pair.box is None else [[side.start, side.stop] for side in pair.box]
    rest = {"box": box, "measured": None if pair.measured is None else astuple(pair.measured)}
    return {"name": pair.name, "part": pair.part, "shape": pair.shape} | {
        name: value for name, value in rest.items() if value is not None
    }


def _from_dict(values: Mapping[str, Any]) -> RecordedPair:
    height, width = values["shape"]
    rows, columns = (slice(*side) for side in values["box"]) if "box" in values else (slice(None), slice(None))
    return RecordedPair(
        str(values["name"]),
        str(values["part"]),
        (int(height), int(width)),
        (rows, columns) if "box" in values else None,
        Statistics(*values["measured"]) if "measured" in values else None,
    )


def _file_of(name: str, files: Mapping[str, Any]) -> str:
    """Return the file of a pair, whose name may add its time and depth."""
    while name and name not in files:
        name = name.rpartition(" ")[0]
    return name


def _sizes(paths: tuple[Path, Path]) -> _Sizes:
    one, other = (path.stat().st_size if path.is_file() else None for path in paths)
    return one, other
