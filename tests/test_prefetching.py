"""Work ahead in threads: the same items in the same order; errors and stops reach both sides."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from napari_mitostain.prefetching import concurrently, one_behind, prefetched


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(("prefetching", "concurrently"))]


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


@pytest.mark.parametrize("workers", [0, 1, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_results_come_in_the_order_of_their_items(count: int, workers: int) -> None:
    def squared(number: int) -> int:
        time.sleep(0.002 * (number % 3))  # later ones are done first
        return number**2

    assert list(concurrently(squared, iter(range(count)), workers)) == [number**2 for number in range(count)]


def test_several_items_are_worked_on_at_a_time_and_no_more_are_asked_for_than_that() -> None:
    together, asked = threading.Barrier(3), list[int]()

    def met(number: int) -> int:
        together.wait(10)  # breaks unless three are there
        return number

    def items() -> Iterator[int]:
        for number in range(9):
            asked.append(number)
            yield number

    results = concurrently(met, items(), 3)
    assert next(results) == 0
    assert asked == [0, 1, 2, 3]
    assert list(results) == list(range(1, 9))


def test_without_threads_one_item_is_asked_for_once_the_one_before_is_used() -> None:
    asked = list[int]()

    def items() -> Iterator[int]:
        for number in range(3):
            asked.append(number)
            yield number

    results = concurrently(lambda _: threading.current_thread(), items(), 0)
    assert next(results) is threading.main_thread()
    assert asked == [0]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_function_or_its_items_raise_comes_in_its_place(workers: int) -> None:
    def items() -> Iterator[int]:
        yield from (2, 1, 0)
        raise KeyError("items")

    results = concurrently(lambda number: 2 // number, items(), workers)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)
    later = concurrently(str, items(), workers)
    with pytest.raises(KeyError, match="items"):
        list(later)


def test_who_stops_early_waits_for_what_has_begun_and_no_more() -> None:
    begun, ended = list[int](), list[int]()

    def slow(number: int) -> int:
        begun.append(number)
        time.sleep(0.05)
        ended.append(number)
        return number

    results = concurrently(slow, iter(range(100)), 2)
    next(results)
    results.close()
    assert sorted(begun) == sorted(ended)
    assert len(begun) <= 4


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_each_item_comes_once_the_next_is_there(count: int) -> None:
    made = list[int]()

    def items() -> Iterator[int]:
        for number in range(count):
            made.append(number)
            yield number

    for number in one_behind(items()):
        assert made[-1] == min(number + 1, count - 1)
    assert made == list(range(count))


def test_error_comes_after_the_item_that_was_held() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("the third")

    behind = one_behind(items())
    assert [next(behind), next(behind)] == [1, 2]
    with pytest.raises(OSError, match="the third"):
        next(behind)
