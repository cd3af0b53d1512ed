"""Work ahead in threads: on what an iterator gives next, or on several of its items at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


def prefetched(iterator: Iterator[T], ahead: int = 2) -> Generator[T, None, None]:
    """Yield what an iterator gives, in its order, while a thread already asks it for what comes next.

    Only reading and light work belong into the iterator: how many threads torch computes with is set for each thread
    of Python anew.

    Parameters
    ----------
    iterator : iterator
        Asked, and in the end closed, in the thread only.
    ahead : int
        Items that are held ready at most; another may be in the making.

    Yields
    ------
    object
        The items. Closing the generator stops the iterator after the item that it is making, and waits for that.

    Raises
    ------
    Exception
        What the iterator raises, in the place of the item that it failed to give.
    """
    shelf = _Shelf[T](ahead)
    thread = threading.Thread(target=shelf.fill, args=(iterator,), name="prefetching", daemon=True)
    thread.start()
    try:
        while True:
            found = shelf.take()
            if not found:
                return
            yield found.pop()
    finally:
        shelf.close()
        thread.join()


def concurrently(function: Callable[[S], T], items: Iterable[S], threads: int) -> Generator[T, None, None]:
    """Yield what a function makes of each item, in their order, while threads work on those that follow.

    Parameters
    ----------
    function : callable
        Called in the threads, for several items at a time.
    items : iterable
        Asked in the thread of the caller, for as many items ahead as there are threads.
    threads : int
        0 calls the function in the thread of the caller, for one item after another.

    Yields
    ------
    object
        The results. Closing the generator waits for what has begun, and leaves out the rest.

    Raises
    ------
    Exception
        What the function or the iterable raises, in its place.
    """
    if not threads:
        yield from map(function, items)
        return
    waiting, asked = deque[Future[T]](), iter(items)
    failure: Exception | None = None
    with ThreadPoolExecutor(threads, "concurrently") as pool:
        try:
            while True:
                try:
                    item = next(asked)
                except StopIteration:
                    break
                except Exception as error:  # after the results of the items before
                    failure = error
                    break
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
    if failure is not None:
        raise failure


def one_behind(items: Iterable[T]) -> Iterator[T]:
    """Yield each item once the next is there: what makes them has then begun with that while this one is used.

    Where the items end by an error, it comes after the last of them.
    """
    held, asked = list[T](), iter(items)
    while True:
        try:
            held.append(next(asked))
        except StopIteration:
            yield from held
            return
        except Exception:
            yield from held
            raise
        if len(held) > 1:
            yield held.pop(0)


class _Shelf(Generic[T]):
    """Items between the thread that makes them and the one that uses them."""

    def __init__(self, room: int) -> None:
        self._items = deque[T]()
        self._room, self._changed = max(1, room), threading.Condition()
        self._is_over, self._is_closed = False, False
        self._error: BaseException | None = None

    def fill(self, iterator: Iterator[T]) -> None:
        """Put item after item on the shelf until there are no more, or nobody wants them."""
        error: BaseException | None = None
        try:
            for item in iterator:
                if not self._put(item):
                    break
        except BaseException as raised:  # the thread that uses the items is to raise it
            error = raised
        finally:
            with suppress(Exception):
                _close(iterator)
            with self._changed:
                self._is_over, self._error = True, error
                self._changed.notify_all()

    def take(self) -> list[T]:
        """Wait for the next item and return it in a list, or an empty one at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_over)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return [item]
            if self._error is not None:
                raise self._error
            return []

    def close(self) -> None:
        """Want no more items."""
        with self._changed:
            self._is_closed = True
            self._items.clear()
            self._changed.notify_all()

    def _put(self, item: T) -> bool:
        """Wait for room, and tell whether the item is still wanted."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._room or self._is_closed)
            if self._is_closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True


def _close(iterator: Any) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
