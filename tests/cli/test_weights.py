"""`mitostain weights`: the map that the loss uses, as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.config import WeightSettings
from napari_mitostain.image.files import read_stack
from napari_mitostain.weighing import write_weighting
from napari_mitostain.weighting import BAND_NAMES, statistics, tn_weights

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


ODD = WeightSettings(a=(0.1, 0.25, 0.3), b=(0.0, 0.5, 0.6), sigmas=(0.5, 2.0))


@pytest.fixture
def weighting(tmp_path: Path) -> Path:
    """A file of coefficients, as the viewer saves it."""
    write_weighting(tmp_path / "weighting.json", ODD)
    return tmp_path / "weighting.json"


def test_coefficients_come_from_a_file(mitostain: Any, tmp_path: Path, target: Path, weighting: Path) -> None:
    done = mitostain("weights", target, tmp_path / "out.ome.tif", "--weighting", weighting, "--json")
    assert WeightSettings.from_dict(done.json["settings"]) == ODD
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.ome.tif"), np.stack([tn_weights(plane, ODD) for plane in STACK])
    )


@pytest.mark.parametrize(
    ("saved", "options", "used"),
    [
        ("stack", [], "stack"),  # what was chosen in the viewer
        ("stack", ["--scope", "plane"], "plane"),
        ("plane", ["--scope", "stack"], "stack"),
        ("patch", [], "plane"),  # a file is not cut into patches
    ],
)
def test_scope_is_the_options_or_the_files(
    mitostain: Any, tmp_path: Path, target: Path, saved: str, options: list[str], used: str
) -> None:
    write_weighting(tmp_path / "w.json", replace(ODD, scope=saved))
    done = mitostain("weights", target, tmp_path / "out.zarr", "--weighting", tmp_path / "w.json", "--json", *options)
    assert done.json["settings"]["scope"] == used


def test_json_tells_the_statistics_and_the_shares_of_each_plane(mitostain: Any, tmp_path: Path, target: Path) -> None:
    told = mitostain("weights", target, tmp_path / "out.ome.tif", "--json").json
    assert told["output"] == str(tmp_path / "out.ome.tif")
    assert [plane["plane"] for plane in told["planes"]] == [[0], [1]]
    for plane, image in zip(told["planes"], STACK, strict=True):
        measured = statistics(image)
        assert (plane["mean"], plane["std"]) == (measured.mean, measured.std)
        assert plane["thresholds"] == [measured.mean + measured.std, measured.mean + 3 * measured.std]
        for shares in ("pixel_shares", "weight_shares"):
            assert sum(plane[shares]) == pytest.approx(1)
        assert plane["pixel_shares"][2] == pytest.approx((image > plane["thresholds"][1]).mean())


def test_shares_are_told_in_words(mitostain: Any, tmp_path: Path, target: Path) -> None:
    lines = mitostain("weights", target, tmp_path / "out.ome.tif").out.splitlines()
    assert lines[0] == f"Wrote the TN weights to {tmp_path / 'out.ome.tif'}"
    assert [line.split("  ")[0].strip() for line in lines[1:]] == list(BAND_NAMES)
    assert all("of the pixels" in line and "of the weight" in line for line in lines[1:])


def test_json_of_a_plane_without_a_finite_pixel_is_json(mitostain: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "holes.tif", np.full((9, 9), np.nan, np.float32))
    (plane,) = mitostain("weights", tmp_path / "holes.tif", tmp_path / "out.tif", "--json").json["planes"]
    assert plane["pixel_shares"] == [0, 0, 0]


@pytest.mark.parametrize("text", ["", "[]", '{"sigmas": [3, 1]}'])
def test_bad_file_of_coefficients_writes_nothing(mitostain: Any, tmp_path: Path, target: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    assert mitostain("weights", target, tmp_path / "out.tif", "--weighting", tmp_path / "bad.json").sentence
    assert (
        "missing.json"
        in mitostain("weights", target, tmp_path / "out.tif", "--weighting", tmp_path / "missing.json").sentence
    )
    assert not (tmp_path / "out.tif").exists()


def test_file_that_weighs_by_patch_is_used_by_plane_and_it_is_said(
    mitostain: Any, tmp_path: Path, target: Path
) -> None:
    write_weighting(tmp_path / "w.json", WeightSettings(scope="patch"))
    done = mitostain("weights", target, tmp_path / "out.ome.tif", "--weighting", tmp_path / "w.json")
    assert (done.status, "plane by plane" in done.err) == (0, True)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif")[0], tn_weights(STACK[0]))
