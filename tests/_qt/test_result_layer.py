"""Where results lie."""

from __future__ import annotations

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
