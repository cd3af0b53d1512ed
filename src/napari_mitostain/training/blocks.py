"""Blocks of a single acquisition, in time, depth or space, with gaps between those that train and the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.generator import Generator
from napari_mitostain.training.pair import Box, Pair

Blocks = tuple[list[Pair], list[Pair], list[Pair], str]
"""What trains, validates and tests, and the sentence that says so."""

_GAP_SHARE = 0.05
"""Part of the time or depth that a gap spans, whether something was recorded there or not; at least one step."""

_LEAST_GAP_PX = 16
"""A narrower gap than a mitochondrion's neighbourhood is none."""


def split_in_blocks(pairs: Sequence[Pair], settings: TrainSettings) -> Blocks:
    """Split the pairs of one acquisition; the last times, depths or strips of the frame validate and test.

    Parameters
    ----------
    pairs : sequence of Pair
    settings : TrainSettings
        Gives the shares, the patch that each strip must hold, and the generator that the gap keeps them apart for.

    Returns
    -------
    tuple
        Training, validation and test pairs, and a sentence.
    """
    if settings.validation_share + settings.test_share == 0:
        return list(pairs), [], [], "Nothing is held out: this run has no validation scores."
    for axis in ("time", "depth"):
        places = [getattr(pair, axis) for pair in pairs]
        if None not in places and len({*places}) > 1:
            return _along(axis, pairs, places, settings)
    if len(pairs) == 1:
        return _in_space(pairs[0], settings)
    why = "the pairs of this one acquisition are of the same time and depth and may overlap"
    return list(pairs), [], [], f"Nothing is held out, as {why}: this run has no validation scores."


def _along(axis: str, pairs: Sequence[Pair], places: list[int], settings: TrainSettings) -> Blocks:
    shares = {"validate": settings.validation_share, "test the best model": settings.test_share}
    blocks = _cut(Counter(places), {role: share for role, share in shares.items() if share > 0})
    said = ", ".join(f"{_span(block)} {role}" for role, block in blocks.items())
    between = min(after[0] - before[-1] - 1 for before, after in pairwise(blocks.values()))
    gap = f"a gap of {between} between" if between else "no gap between, as there are too few"
    parts = {role: [pair for pair, at in zip(pairs, places, strict=True) if at in {*b}] for role, b in blocks.items()}
    held = (parts.get(role, []) for role in shares)
    return parts["train"], *held, f"Split of one acquisition in {axis}: {said}, with {gap}."  # type: ignore[return-value]


def _cut(counts: Counter[int], shares: dict[str, float]) -> dict[str, list[int]]:
    """Cut places, each of some pairs, into blocks with gaps between; where there are too few, the gaps shrink."""
    values = sorted(counts)
    if len(values) <= len(shares):  # of two places, one trains and the other validates
        shares = dict(list(shares.items())[: len(values) - 1])
    widest = max(1, round(_GAP_SHARE * (values[-1] - values[0] + 1)))
    gaps = range(min(widest, values[-1] - values[0]), -1, -1)
    return next(blocks for gap in gaps if (blocks := _with_gap(counts, values, shares, gap)))


def _with_gap(
    counts: Counter[int], values: list[int], shares: dict[str, float], gap: int
) -> dict[str, list[int]] | None:
    """Take blocks from the end, each of as near its share of the pairs as can be; None if that leaves too little."""
    blocks = dict[str, list[int]]()
    for others, (role, share) in zip(range(len(shares), 0, -1), reversed(shares.items()), strict=True):
        most = len(values) - others  # a place each for those that come, and for what trains
        if most < 1:
            return None
        sums = accumulate(counts[value] for value in reversed(values[-most:]))
        wanted = share * counts.total()
        size = min(enumerate(sums, start=1), key=lambda sized: abs(sized[1] - wanted))[0]
        blocks[role] = values[-size:]
        values = [value for value in values[:-size] if value < blocks[role][0] - gap]
    return {"train": values} | dict(reversed(blocks.items())) if values else None


def _span(block: list[int]) -> str:
    return f"{block[0]}" if len(block) == 1 else f"{block[0]} to {block[-1]}"


def _in_space(pair: Pair, settings: TrainSettings) -> Blocks:
    """Cut strips of the longer side, each of which holds a patch."""
    along = 0 if pair.shape[0] > pair.shape[1] else 1
    shares = {"validate": settings.validation_share, "test the best model": settings.test_share}
    shares = {role: share for role, share in shares.items() if share > 0}
    gap, strips = _strips(pair.shape[along], list(shares.values()), settings)
    if gap < _LEAST_GAP_PX:
        said = f"Nothing is held out, as one plane has no room for another patch of {settings.patch} pixels and a gap"
        return [pair], [], [], f"{said}: this run has no validation scores."
    roles = dict(zip(["train", *shares], strips, strict=True))
    parts = {role: [pair.part(_box(pair, along, strip))] for role, strip in roles.items()}
    said = ", ".join(f"{start} to {stop - 1} {role}" for role, (start, stop) in roles.items())
    sentence = (
        f"Split of one plane in {'rows' if along == 0 else 'columns'}: {said}, with gaps of {gap} pixels between."
    )
    return parts["train"], parts.get("validate", []), parts.get("test the best model", []), sentence


def _strips(length: int, shares: list[float], settings: TrainSettings) -> tuple[int, list[tuple[int, int]]]:
    """Return the gap, and where the strips that train and are held out start and stop; without room no gap."""
    room = length - settings.patch * (1 + len(shares))  # beyond one patch for each
    gap = min(_reach(settings), room // len(shares))
    room -= gap * len(shares)
    strips, stop = list[tuple[int, int]](), length
    for share in reversed(shares):
        size = settings.patch + min(max(0, round(share * length) - settings.patch), max(0, room))
        room -= size - settings.patch
        strips.insert(0, (stop - size, stop))
        stop -= size + gap
    return gap, [(0, stop), *strips]


def _reach(settings: TrainSettings) -> int:
    """Return how far the generator looks."""
    with torch.device("meta"):
        return Generator(1, settings.depth).receptive_radius


def _box(pair: Pair, along: int, strip: tuple[int, int]) -> Box:
    whole = slice(0, pair.shape[1 - along])
    return (slice(*strip), whole) if along == 0 else (whole, slice(*strip))
