from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tifffile import TiffFile

import napari_mitostain
from napari_mitostain.image.files import read_stack

SAMPLES = Path(napari_mitostain.__file__).parent / "samples"
SHAPES = {
    "brightfield_stack": (5, 512, 512),
    "stack_mitochondria": (5, 512, 512),
    "pair_brightfield": (512, 512),
    "pair_mitochondria": (512, 512),
}


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_samples_are_8_bit_with_pixel_size_and_say_that_they_are_simulated(name, shape):
    path = SAMPLES / f"{name}.ome.tif"
    stack = read_stack(path)
    assert stack.shape == shape
    assert stack.data.dtype == np.uint8
    assert stack.scale == {"Y": 0.08, "X": 0.08} | ({"Z": 0.5} if len(shape) == 3 else {})
    with TiffFile(path) as tif:
        assert "simulated cell, not of a real one" in (tif.ome_metadata or "")


def test_samples_are_small():
    files = list(SAMPLES.iterdir())
    assert sorted(path.name for path in files) == sorted(f"{name}.ome.tif" for name in SHAPES)
    assert sum(path.stat().st_size for path in files) < 4e6
