"""Where results lie."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from napari_mitostain._qt import result_layer
from napari_mitostain._qt.result_layer import empty_result
from napari_mitostain.errors import FileError


def test_large_results_lie_on_disk(monkeypatch):
    monkeypatch.setattr(result_layer, "_IN_MEMORY_BYTES", 1000)
    small, large = empty_result((2, 5)), empty_result((30, 40))
    assert [isinstance(array, np.memmap) for array in (small, large)] == [False, True]
    large[3, 4] = 0.5
    assert [large.shape, large.dtype, float(large.sum())] == [(30, 40), np.float32, 0.5]


def test_results_too_large_for_the_disk_are_refused():
    with pytest.raises(FileError, match="mitostain stain"):
        empty_result((10**6, 10**6, 10**3))


def test_room_for_a_large_result_is_taken_before_it_is_filled(monkeypatch):
    """On a disk that fills up later, a page without room would kill the process."""
    taken = []

    def full(_: int, *room: int) -> None:
        taken.append(room)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(result_layer, "_IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(FileError, match=r"Expected 0\.0 GB of room in .* got No space left on device; choose"):
        empty_result((30, 40))
    assert taken == [(0, 30 * 40 * 4)]
