"""Prefetching: the same items in the same order, made ahead; errors and stops reach both sides."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from napari_mitostain.prefetching import prefetched


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetching"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == []


@pytest.mark.parametrize("ahead", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_items_come_in_their_order(count: int, ahead: int) -> None:
    assert list(prefetched(iter(range(count)), ahead)) == list(range(count))


def test_items_that_are_false_or_none_are_items() -> None:
    assert list(prefetched(iter([None, 0, [], False]))) == [None, 0, [], False]


def test_next_items_are_made_while_one_is_used_and_no_more_than_there_is_room_for() -> None:
    made = []
    three = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 3:
                three.set()
            yield number

    items_ahead = prefetched(items(), ahead=2)
    assert next(items_ahead) == 0
    assert three.wait(10)  # nobody asked for the items 1 to 3
    time.sleep(0.05)
    assert made == [0, 1, 2, 3]  # two on the shelf, and one in the hand
    items_ahead.close()


def test_error_comes_in_the_place_of_its_item() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third is broken")

    ahead = prefetched(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(ahead)


def test_closing_stops_the_iterator_and_closes_it_in_its_own_thread() -> None:
    closed_in = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed_in.append(threading.current_thread().name)

    items_ahead = prefetched(items())
    next(items_ahead)
    started = time.monotonic()
    items_ahead.close()
    assert time.monotonic() - started < 1
    assert closed_in == ["prefetching"]


def test_an_iterator_that_fails_as_it_is_closed_does_not_hide_why_it_was() -> None:
    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            raise RuntimeError("on the way out")

    items_ahead = prefetched(items())
    next(items_ahead)
    items_ahead.close()


def test_nothing_starts_before_the_first_item_is_wanted() -> None:
    prefetched(iter([1]))
    assert threads() == []
