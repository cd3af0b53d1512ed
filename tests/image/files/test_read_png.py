"""Grayscale PNG in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_mitostain.image.files import read_stack


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png(tmp_path: Path, ramp: np.ndarray, dtype: str) -> None:
    array = ramp[0].astype(dtype)
    Image.fromarray(array).save(tmp_path / "a.PNG")
    stack = read_stack(tmp_path / "a.PNG")
    assert (stack.axes, stack.data.dtype, stack.scale) == ("YX", dtype, {})
    np.testing.assert_array_equal(stack.read(()), array)


@pytest.mark.parametrize(("dpi", "size"), [(254000, 0.1), (72, None), (300, None)])
def test_png_resolution(tmp_path: Path, dpi: float, size: float | None) -> None:
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "a.png", dpi=(dpi, dpi))
    expected = {} if size is None else {"Y": size, "X": size}
    assert read_stack(tmp_path / "a.png").scale == pytest.approx(expected, rel=1e-4)
