"""Where results lie, and whose a layer is that two runs fill."""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.layers._layer_actions import _duplicate_layer

from napari_mitostain._qt import result_layer
from napari_mitostain._qt.result_layer import ResultLayer, add_beside, empty_result, find_result
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


@pytest.mark.parametrize("count", [0, 1, 2])
def test_layer_that_is_added_leaves_the_selection(viewer, cells, count):
    selected = {viewer.add_image(cells, name=str(number)) for number in range(count)}
    viewer.add_image(cells, name="not selected")
    viewer.layers.selection = selected
    add_beside(viewer, Image(cells))
    assert {*viewer.layers.selection} == selected


class TestNewestResult:
    @pytest.fixture
    def source(self, viewer, cells):
        return viewer.add_image(cells, name="cells")

    def make(self, viewer: Any, source: Any) -> Image:
        return ResultLayer(viewer, np.zeros(source.data.shape, np.float32), source, "stain", {}, {}).layer

    def test_copy_is_the_users_own(self, viewer, source):
        result = self.make(viewer, source)
        viewer.layers.selection = {result}
        _duplicate_layer(viewer.layers)
        assert viewer.layers[-1].metadata["mitostain"] == result.metadata["mitostain"]
        assert find_result(viewer, source, "stain") is result
        viewer.layers.remove(result)
        assert find_result(viewer, source, "stain") is None

    def test_order_of_the_layers_does_not_matter(self, viewer, source):
        older, newer = self.make(viewer, source), self.make(viewer, source)
        viewer.layers.move(viewer.layers.index(newer), 0)
        assert find_result(viewer, source, "stain") is newer
        again = ResultLayer(viewer, np.zeros(source.data.shape, np.float32), source, "stain", {}, {}, older)
        assert find_result(viewer, source, "stain") is again.layer is older


class TestTwoRunsIntoOneLayer:
    """The second was started when the first was not done: both replace the stain of one source."""

    def start(self, viewer: Any, source: Any) -> ResultLayer:
        data = np.zeros(source.data.shape, np.float32)
        return ResultLayer(viewer, data, source, "stain", {}, {}, find_result(viewer, source, "stain"))

    def paint(self, run: ResultLayer, value: float) -> None:
        run._data[:] = value
        run.painted([True])

    @pytest.fixture
    def runs(self, viewer, cells):
        source = viewer.add_image(cells, name="cells")
        first, second = self.start(viewer, source), self.start(viewer, source)
        assert first.layer is second.layer
        return first, second

    def test_first_ends_empty(self, viewer, runs):
        first, second = runs
        first.finish()
        self.paint(second, 0.7)
        second.finish()
        assert viewer.layers["cells stain"].data.mean() == pytest.approx(0.7)

    def test_first_ends_empty_and_had_replaced_another(self, viewer, runs):
        second = runs[1]
        third = self.start(viewer, viewer.layers["cells"])
        self.paint(third, 0.7)
        second.finish()
        third.finish()
        assert viewer.layers["cells stain"].data.mean() == pytest.approx(0.7)

    def test_first_does_not_sign_what_the_second_made(self, viewer, runs):
        first, second = runs
        second.record({"model": "second"})
        first.record({"model": "first"})
        self.paint(first, 0.2)
        self.paint(second, 0.7)
        first.finish()
        second.finish()
        assert viewer.layers["cells stain"].metadata["mitostain"]["model"] == "second"

    def test_second_ends_empty_and_gives_the_layer_back(self, viewer, runs):
        first, second = runs
        first.record({"model": "first"})
        second.finish()
        self.paint(first, 0.2)
        first.finish()
        result = viewer.layers["cells stain"]
        assert [result.data.mean(), result.metadata["mitostain"]["model"]] == [pytest.approx(0.2), "first"]
