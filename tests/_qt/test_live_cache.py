"""What was used last is kept within a bound."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain._qt.live_cache import Recent


@pytest.fixture
def recent() -> Recent[str, np.ndarray]:
    """A cache of 100 bytes."""
    return Recent(100, lambda value: value.nbytes)


def block(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


def test_what_was_not_used_for_longest_goes_first(recent):
    for name in "abc":
        recent.put(name, block(30))
    assert recent.get("a") is not None  # so b is the oldest now
    recent.put("d", block(30))
    assert [name in recent for name in "abcd"] == [True, False, True, True]
    assert recent.used == 90


def test_looking_without_using_changes_nothing(recent):
    for name in "abc":
        recent.put(name, block(30))
    assert recent.peek("a") is not None
    recent.put("d", block(30))
    assert "a" not in recent


def test_bound_is_never_exceeded(recent):
    random = np.random.default_rng(0)
    for name in range(200):
        recent.put(name, block(int(random.integers(1, 60))))
        assert recent.used == sum(value.nbytes for _, value in recent.items()) <= 100


def test_smaller_bound_holds_at_once(recent):
    for name in "abc":
        recent.put(name, block(30))
    recent.bound = 40
    assert [name for name, _ in recent.items()] == ["c"]


def test_value_that_exceeds_the_bound_alone_is_not_kept(recent):
    recent.put("a", block(101))
    assert (len(recent), recent.used) == (0, 0)


def test_value_put_again_counts_once(recent):
    recent.put("a", block(30))
    recent.put("a", block(50))
    assert (len(recent), recent.used) == (1, 50)


def test_values_are_let_go(recent):
    for name in "abc":
        recent.put(name, block(30))
    for name in ("a", "b", "not there"):
        recent.drop(name)
    assert (len(recent), recent.used) == (1, 30)
    assert recent.get("a") is None
    recent.clear()
    assert (len(recent), recent.used) == (0, 0)
