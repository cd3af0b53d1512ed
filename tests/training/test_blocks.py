"""Blocks of one acquisition: later ones validate, and what lies between belongs to neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.generator import Generator
from napari_mitostain.training.pair import Pair, pair_of_arrays
from napari_mitostain.training.split import split_pairs

FLAT = np.zeros((4, 4), np.float32)
ONE = TrainSettings(epochs=1)
shares = st.sampled_from([(0.2, 0.0), (0.2, 0.1), (0.0, 0.2), (0.5, 0.3), (0.1, 0.1)])


def at(*places: tuple[int | None, int | None]) -> list[Pair]:
    pairs = [pair_of_arrays(f"{number}", "a", FLAT, FLAT) for number in range(len(places))]
    return [replace(pair, time=time, depth=depth) for pair, (time, depth) in zip(pairs, places, strict=True)]


def plane(height: int, width: int) -> list[Pair]:
    flat = np.zeros((height, width), np.float32)
    return [pair_of_arrays("p", "a", flat, flat)]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=2, max_size=60),
    shares,
    st.sampled_from(["time", "depth"]),
)
def test_no_time_or_depth_lies_on_two_sides_and_only_a_gap_is_lost(
    places: list[tuple[int, int]], share: tuple[float, float], axis: str
) -> None:
    pairs = at(*places) if axis == "time" else at(*((None, time) for time, _ in places))
    values = sorted({time for time, _ in places})
    split = split_pairs(pairs, replace(ONE, validation_share=share[0], test_share=share[1]))
    if len(values) == 1:
        return  # the depths are split then, or nothing is
    parts = [sorted({getattr(pair, axis) for pair in part}) for part in (split.training, split.validation, split.test)]
    assert parts[0]
    assert parts[1] or parts[2]
    blocks = [part for part in parts if part]
    assert [value for block in blocks for value in block] == sorted(value for block in blocks for value in block)
    for before, after in zip(blocks, blocks[1:], strict=False):
        between = [value for value in values if before[-1] < value < after[0]]
        assert between or "too few" in split.sentence
        assert len(between) <= max(1, round(0.05 * len(values)))
    for part, block in zip((split.training, split.validation, split.test), parts, strict=True):
        assert len(part) == sum(getattr(pair, axis) in block for pair in pairs)  # whole times


def test_last_times_validate() -> None:
    split = split_pairs(at(*((time, 0) for time in range(20))), ONE)
    assert [pair.time for pair in split.validation] == [16, 17, 18, 19]
    assert [pair.time for pair in split.training] == list(range(15))
    assert split.sentence == (
        "Split of one acquisition in time: 0 to 14 train, 16 to 19 validate, with a gap of 1 between."
    )


def test_last_times_test_and_those_before_validate() -> None:
    split = split_pairs(at(*((time, 0) for time in range(20))), replace(ONE, test_share=0.1))
    assert [pair.time for pair in split.test] == [18, 19]
    assert [pair.time for pair in split.validation] == [13, 14, 15, 16]
    assert max(pair.time or 0 for pair in split.training) == 11


def test_one_time_is_split_in_depth() -> None:
    split = split_pairs(at(*((3, depth) for depth in range(10))), ONE)
    assert [pair.depth for pair in split.validation] == [8, 9]
    assert "in depth" in split.sentence


def test_two_times_have_no_room_for_a_gap_and_say_so() -> None:
    split = split_pairs(at((1, None), (2, None)), ONE)
    assert (len(split.training), len(split.validation)) == (1, 1)
    assert "too few" in split.sentence


def test_crops_of_one_frame_may_overlap_and_all_train() -> None:
    split = split_pairs(at((1, 2), (1, 2), (1, 2)), ONE)
    assert (len(split.training), split.validation) == (3, [])
    assert "may overlap" in split.sentence


@given(st.integers(16, 900), st.integers(16, 900), shares, st.sampled_from([16, 64, 256]))
def test_strips_of_a_plane_hold_a_patch_each_with_a_gap_between(
    height: int, width: int, share: tuple[float, float], patch: int
) -> None:
    settings = replace(ONE, patch=patch, depth=3, validation_share=share[0], test_share=share[1])
    split = split_pairs(plane(height, width), settings)
    parts = [part for part in (split.training, split.validation, split.test) if part]
    if len(parts) == 1:
        assert "no room" in split.sentence
        assert split.training[0].box is None
        needed = sum(value > 0 for value in share)
        assert max(height, width) < (1 + needed) * patch + needed * 16
        return
    assert split.training
    boxes = [part[0].box for part in parts]
    along = 0 if height > width else 1
    for (pair,), box in zip(parts, boxes, strict=True):
        assert box is not None
        assert pair.shape == (box[0].stop - box[0].start, box[1].stop - box[1].start)
        assert pair.shape[along] >= patch
        assert (box[1 - along].start, box[1 - along].stop) == (0, (height, width)[1 - along])
    strips = [box[along] for box in boxes if box is not None]
    gaps = {after.start - before.stop for before, after in zip(strips, strips[1:], strict=False)}
    assert len(gaps) == 1
    assert 16 <= min(gaps) <= Generator(1, 3).receptive_radius
    assert (strips[0].start, strips[-1].stop) == (0, (height, width)[along])


def test_gap_is_as_wide_as_the_generator_looks_where_there_is_room() -> None:
    split = split_pairs(plane(300, 1500), ONE)
    (training,), (validation,) = split.training, split.validation
    assert training.box is not None
    assert validation.box is not None
    assert validation.shape == (300, 300)
    assert validation.box[1].start - training.box[1].stop == Generator(1, ONE.depth).receptive_radius
    assert training.source is validation.source


@pytest.mark.parametrize("places", [[(None, None)] * 2, [(1, None), (None, None)]])
def test_unknown_places_all_train(places: list[tuple[int | None, int | None]]) -> None:
    split = split_pairs(at(*places), ONE)
    assert (len(split.training), split.validation) == (2, [])


def test_nothing_is_held_out_by_wish() -> None:
    split = split_pairs(at((1, None), (2, None)), replace(ONE, validation_share=0.0))
    assert len(split.training) == 2
    assert "no validation scores" in split.sentence
