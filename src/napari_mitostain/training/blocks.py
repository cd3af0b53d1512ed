"""Blocks of a single acquisition, in time, depth or space, with gaps between those that train and the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.generator import Generator
from napari_mitostain.training.pair import Box, Pair

Blocks = tuple[list[Pair], list[Pair], list[Pair], str]
"""What trains, validates and tests, and the sentence that says so."""

_GAP_SHARE = 0.05
"""Part of the times or depths that a gap takes, at least one where there are three."""

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
    values = sorted({*places})
    shares = settings.validation_share, settings.test_share
    parts = _cut(values, shares, max(1, round(_GAP_SHARE * len(values))))
    blocks = [[pair for pair, place in zip(pairs, places, strict=True) if place in part] for part in parts]
    training, validation, test = parts
    gap = len(values) - sum(map(len, parts))
    said = f"Split of one acquisition in {axis}: {_span(training)} train"
    said += f", {_span(validation)} validate" if validation else ""
    said += f", {_span(test)} test the best model" if test else ""
    between = f"{gap} between" if gap else "none between, as there are too few"
    return blocks[0], blocks[1], blocks[2], f"{said}, with a gap of {between}."


def _cut(values: list[int], shares: tuple[float, float], gap: int) -> tuple[set[int], set[int], set[int]]:
    """Cut sorted places into blocks, a gap between; without room for gaps there are none, or fewer blocks."""
    sizes = [max(1, round(share * len(values))) if share > 0 else 0 for share in shares]
    if len(values) < 1 + sum(sizes):  # of two places, one trains and the other validates
        sizes = [1, 0] if shares[0] > 0 else [0, 1]
    cuts = sum(size > 0 for size in sizes)
    while gap and len(values) < 1 + sum(sizes) + gap * cuts:
        gap -= 1
    blocks, end = [], len(values)
    for size in reversed(sizes):
        blocks.append({*values[end - size : end]} if size else set())
        end -= size + gap if size else 0
    return {*values[:end]}, blocks[1], blocks[0]


def _span(part: set[int]) -> str:
    return f"{min(part)}" if len(part) == 1 else f"{min(part)} to {max(part)}"


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
