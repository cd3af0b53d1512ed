"""How long it will take, in words."""

from __future__ import annotations

import pytest

from napari_mitostain._qt.progress import Clock, words_for


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "estimating the time left…"),
        (3, "a few seconds left"),
        (34, "about 30 s left"),
        (58, "about 1 min left"),
        (200, "about 3 min left"),
        (9000, "about 2.5 h left"),
    ],
)
def test_words(seconds, words):
    assert words_for(seconds) == words


def test_clock_counts_from_the_first_event():
    clock = Clock()
    assert clock.seconds_left(0.1, 100.0) is None
    assert clock.seconds_left(0.3, 104.0) == pytest.approx(14)
