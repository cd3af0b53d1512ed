"""Layers without a file, copied into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mitostain.errors import FileError
from napari_mitostain.events import Measured
from napari_mitostain.image import Stack
from napari_mitostain.training.pairs import open_pairs, stack_pairs
from napari_mitostain.training.spec import PairsSpec
from napari_mitostain.training.store import store_pairs


def stored(brightfield: Stack, fluorescence: Stack, channels: Any, folder: Path) -> tuple[list[Any], PairsSpec]:
    events, work = [], store_pairs(brightfield, fluorescence, channels, folder)
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return events, end.value


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.int16])
def test_copies_train_as_the_layers_do(tmp_path: Path, dtype: Any) -> None:
    values = (np.random.default_rng(0).random((3, 2, 20, 24)) * 200).astype(dtype)
    both = Stack(values, "TCYX", {"Y": 0.2, "X": 0.2}, "my: cells/1")
    events, spec = stored(both, both, (0, 1), tmp_path / "run" / "pairs")
    assert events[-1].done == events[-1].total == 6
    assert all(isinstance(event, Measured) for event in events)
    assert spec.brightfield.parent == tmp_path / "run" / "pairs" / "brightfield"
    copies = open_pairs(PairsSpec.from_dict(spec.to_dict()))
    assert copies.findings == []
    originals = stack_pairs(both, both, "s", "s", channels=(0, 1))
    for copy, original in zip(copies.pairs, originals, strict=True):
        assert (copy.time, copy.depth, copy.pixel_size) == (original.time, original.depth, 0.2)
        np.testing.assert_array_equal(copy.read().target, original.read().target)
        np.testing.assert_array_equal(copy.read().brightfield, original.read().brightfield)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.uint64])
def test_types_that_the_format_lacks_become_wider(tmp_path: Path, dtype: Any) -> None:
    values = np.arange(400).reshape(20, 20).astype(dtype)
    _, spec = stored(Stack(values, "YX"), Stack(values, "YX"), (None, None), tmp_path)
    (pair,) = open_pairs(spec).pairs
    np.testing.assert_array_equal(pair.source.planes()[0], values)


def test_stopping_leaves_no_half_file(tmp_path: Path) -> None:
    stack = Stack(np.zeros((5, 20, 20), np.uint8), "ZYX")
    work = store_pairs(stack, stack, (None, None), tmp_path)
    next(work)
    work.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    stack = Stack(np.zeros((20, 20), np.uint8), "YX")
    with pytest.raises(FileError):
        list(store_pairs(stack, stack, (None, None), tmp_path / "file" / "pairs"))
