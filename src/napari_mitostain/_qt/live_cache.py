"""Stained tiles that are kept as long as there is room for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps what was used last within a bound; what was not used for longest goes first.

    Parameters
    ----------
    bound : int
        What the sizes of all values may add up to.
    size : callable
        Returns that of a value.
    """

    def __init__(self, bound: int, size: Callable[[Value], int]) -> None:
        self._size, self._bound = size, bound
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self.used = 0

    @property
    def bound(self) -> int:
        """What the sizes of all values may add up to."""
        return self._bound

    @bound.setter
    def bound(self, bound: int) -> None:
        self._bound = bound
        self._shrink()

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[Key, Value]]:
        """List all, that which was used last at the end."""
        return [*self._values.items()]

    def get(self, key: Key) -> Value | None:
        """Return a value, which is now the one used last; None if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def peek(self, key: Key) -> Value | None:
        """Return a value without using it, None if it is not there."""
        return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep a value; one that exceeds the bound alone is not kept."""
        self.drop(key)
        self._values[key] = value
        self.used += self._size(value)
        self._shrink()

    def drop(self, key: Key) -> None:
        """Let go of a value, if it is there."""
        if key in self._values:
            self.used -= self._size(self._values.pop(key))

    def clear(self) -> None:
        """Let go of all."""
        self._values.clear()
        self.used = 0

    def _shrink(self) -> None:
        while self.used > self._bound:
            self.used -= self._size(self._values.popitem(last=False)[1])
