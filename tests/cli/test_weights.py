"""`mitostain weights`: the map that the loss uses, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.image.files import read_stack
from napari_mitostain.weighting import tn_weights

STACK = (np.random.default_rng(0).gamma(0.5, 300, (2, 20, 30)) * np.array([1, 6])[:, None, None]).astype(np.uint16)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 1.0}
    tifffile.imwrite(tmp_path / "target.ome.tif", STACK, ome=True, metadata=metadata)
    return tmp_path / "target.ome.tif"


def test_map_of_each_plane_with_the_targets_axes_and_pixel_size(mitostain: Any, tmp_path: Path, target: Path) -> None:
    assert mitostain("weights", target, tmp_path / "out.ome.tif").status == 0
    written = read_stack(tmp_path / "out.ome.tif")
    assert (written.axes, written.scale) == ("ZYX", {"Z": 1.0, "Y": 0.2, "X": 0.2})
    for index, plane in enumerate(STACK):
        np.testing.assert_array_equal(written.read((index,)), tn_weights(plane))


def test_scope_stack_takes_its_statistics_over_all_planes(mitostain: Any, tmp_path: Path, target: Path) -> None:
    mitostain("weights", target, tmp_path / "out.ome.tif", "--scope", "stack")
    # float32 weights below 1 are good to 6e-8; the merged statistics differ in the last bits of float64
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.ome.tif"), tn_weights(STACK), atol=2e-7)


def test_unknown_scope_is_refused(mitostain: Any, tmp_path: Path, target: Path) -> None:
    done = mitostain("weights", target, tmp_path / "out.ome.tif", "--scope", "world")
    assert done.status == 2
    assert "--scope" in done.err


def test_constant_target_has_zero_weights_and_no_warning(mitostain: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((9, 9), 5, np.uint8))
    done = mitostain("weights", tmp_path / "flat.tif", tmp_path / "out.tif")
    assert (done.status, done.err) == (0, "")
    assert not tifffile.imread(tmp_path / "out.tif").any()
