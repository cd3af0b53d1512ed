"""Pairs that are read when they are wanted, and kept as far as memory allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.training.area import has_place
from napari_mitostain.training.pair import Frame, Frames, Pair, bytes_of, frame_of, pair_of_arrays

SHAPE = (10, 12)
BYTES = 2 * 4 * 10 * 12


@dataclass(eq=False)
class Counted:
    """A plane that counts how often it is read."""

    value: float
    reads: list[float] = field(default_factory=list)

    def planes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        self.reads.append(self.value)
        plane = np.full(SHAPE, self.value, np.float32)
        return plane, plane

    def frame(self, brightfield: NDArray[Any], fluorescence: NDArray[Any]) -> Frame:
        return frame_of(brightfield, fluorescence)


def counted(count: int) -> list[Pair]:
    return [Pair(str(number), "a", Counted(number), SHAPE) for number in range(count)]


def reads(pairs: list[Pair]) -> list[int]:
    return [len(pair.source.reads) for pair in pairs]  # type: ignore[attr-defined]


def test_frame_counts_as_mitochondria_what_lies_a_standard_deviation_above_the_mean() -> None:
    target = np.arange(120, dtype=np.float32).reshape(SHAPE) / 120
    frame = pair_of_arrays("p", "a", target, target).read()
    assert frame.threshold == np.float32(target.mean() + target.std())
    assert frame.cut((slice(0, 3), slice(2, 7))).target.shape == (3, 5)
    assert frame.cut((slice(0, 3), slice(2, 7))).threshold == frame.threshold


def test_constant_target_shows_no_mitochondria() -> None:
    flat = np.full((48, 48), 0.3, np.float32)
    assert not has_place(frame_of(flat, flat), 32, 0.01)
    assert has_place(frame_of(flat, flat), 32, 0)


def test_frames_are_read_once_while_there_is_memory() -> None:
    pairs, frames = counted(3), Frames(3 * BYTES)
    for _ in range(4):
        assert [float(frames[pair].target[0, 0]) for pair in pairs] == [0, 1, 2]
    assert reads(pairs) == [1, 1, 1]


def test_frames_used_longest_ago_go_first() -> None:
    pairs, frames = counted(3), Frames(2 * BYTES)
    for number in (0, 1, 0, 2, 0, 1):  # 1 goes for 2, 2 for 1
        frames[pairs[number]]
    assert reads(pairs) == [1, 2, 1]


def test_a_frame_larger_than_the_memory_is_read_all_the_same() -> None:
    pairs, frames = counted(2), Frames(1)
    assert [float(frames[pair].target[0, 0]) for pair in pairs + pairs] == [0, 1, 0, 1]


def test_parts_of_a_plane_share_one_read() -> None:
    (pair,), frames = counted(1), Frames()
    parts = [pair.part((slice(0, 10), slice(0, 5))), pair.part((slice(0, 10), slice(8, 12)))]
    assert [part.shape for part in parts] == [(10, 5), (10, 4)]
    assert len({part.name for part in [pair, *parts]}) == 3
    assert [frames[part].target.shape for part in parts] == [(10, 5), (10, 4)]
    assert reads([pair]) == [1]


def test_what_was_read_elsewhere_is_not_read_again() -> None:
    (pair,), frames = counted(1), Frames()
    frames.put(pair, pair.read())
    frames.put(pair, pair.source.frame(*pair.source.planes()))
    assert reads([pair]) == [2]
    frames[pair]
    assert reads([pair]) == [2]


def test_bytes_are_those_of_both_images() -> None:
    (pair,) = counted(1)
    frame = pair.read()
    assert bytes_of(pair) == frame.brightfield.nbytes + frame.target.nbytes == BYTES
