"""Pairs: found by name in two folders or two files, and what is wrong with a file named in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.config import ScalingSettings
from napari_mitostain.errors import FileError
from napari_mitostain.image import Stack, scale_brightfield
from napari_mitostain.training.pairs import Opened, open_pairs, open_stacks
from napari_mitostain.training.spec import PairsSpec, pairs_in

PARTS = ("brightfield", "mitochondria")


def said(opened: Opened) -> list[tuple[str, str]]:
    return [(finding.severity, finding.message) for finding in opened.findings]


def write(path: Path, image: Any, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, photometric="minisblack", **options)


def image_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def test_pairs_are_found_by_name_and_scaled(pairs_folder: Callable[..., Path]) -> None:
    folder = pairs_folder("x_01_t1.tif", "x_01_t2.tif", "y_01_t1.tif")
    scaling = ScalingSettings(background_px=6)
    opened = open_pairs(folder, scaling)
    assert opened.findings == []
    assert [(pair.name, pair.acquisition, pair.time) for pair in opened.pairs] == [
        ("x_01_t1.tif", "x_01", 1),
        ("x_01_t2.tif", "x_01", 2),
        ("y_01_t1.tif", "y_01", 1),
    ]
    raw = tifffile.imread(folder / "brightfield" / "y_01_t1.tif")
    np.testing.assert_array_equal(opened.pairs[2].read().brightfield, scale_brightfield(raw, scaling))


def test_two_folders_anywhere(pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = pairs_folder("a.tif", "b.tif")
    (folder / "mitochondria").rename(tmp_path / "dye")
    opened = open_pairs(PairsSpec(folder / "brightfield", tmp_path / "dye"))
    assert [pair.name for pair in opened.pairs] == ["a.tif", "b.tif"]


def test_two_files_of_any_name(tmp_path: Path) -> None:
    write(tmp_path / "bf.tif", image_of(5, 20, 20), metadata={"axes": "TYX"})
    write(tmp_path / "dye.tif", image_of(5, 20, 20), metadata={"axes": "TYX"})
    opened = open_pairs(PairsSpec(tmp_path / "bf.tif", tmp_path / "dye.tif", shifts={"bf": (2, 0)}))
    assert [pair.name for pair in opened.pairs] == [f"bf.tif t{time}" for time in range(5)]
    assert {pair.acquisition for pair in opened.pairs} == {"bf"}
    assert {pair.shape for pair in opened.pairs} == {(18, 20)}


def test_one_file_of_both_channels(tmp_path: Path) -> None:
    write(tmp_path / "both.ome.tif", image_of(2, 20, 20), metadata={"axes": "CYX"})
    path = tmp_path / "both.ome.tif"
    (pair,) = open_pairs(PairsSpec(path, path, 0, 1)).pairs
    brightfield, fluorescence = pair.source.planes()
    np.testing.assert_array_equal(np.stack([brightfield, fluorescence]), image_of(2, 20, 20))


def test_first_of_several_channels_is_taken_and_said(tmp_path: Path) -> None:
    for part in PARTS:
        write(tmp_path / part / "a.ome.tif", image_of(2, 20, 20), metadata={"axes": "CYX"})
    ((one, brightfield), (other, fluorescence)) = said(open_pairs(tmp_path))
    assert (one, other) == ("warning", "warning")
    assert "brightfield of a.ome.tif has 2 channels" in brightfield
    assert "mitochondria of a.ome.tif has 2 channels" in fluorescence
    assert said(open_pairs(pairs_in(tmp_path, brightfield_channel=0, mitochondria_channel=1))) == []


def test_pixel_sizes_that_differ_between_the_partners(tmp_path: Path) -> None:
    for part, size in zip(PARTS, (0.1, 0.2), strict=True):
        pixels = {"PhysicalSizeY": size, "PhysicalSizeX": size, "axes": "YX"}
        write(tmp_path / part / "a.ome.tif", image_of(20, 20), metadata=pixels)
    opened = open_pairs(tmp_path)
    ((severity, message),) = said(opened)
    assert severity == "warning"
    assert "0.1 µm" in message
    assert "0.2 µm" in message
    assert opened.pairs[0].pixel_size == pytest.approx(0.1)


@pytest.mark.parametrize("part", PARTS)
def test_missing_partner_is_named(pairs_folder: Callable[..., Path], part: str) -> None:
    folder = pairs_folder("a_1.tif", "a_2.tif")
    (folder / part / "a_2.tif").unlink()
    (finding,) = open_pairs(folder).findings
    assert (finding.severity, finding.pairs) == ("error", ("a_2.tif",))
    assert "a_2.tif" in finding.message
    left = open_pairs(pairs_in(folder, skip_unreadable=True))
    assert [one for one, _ in said(left)] == ["warning"]
    assert [pair.name for pair in left.pairs] == ["a_1.tif"]


@pytest.mark.parametrize("part", PARTS)
def test_missing_or_empty_folder(pairs_folder: Callable[..., Path], part: str) -> None:
    folder = pairs_folder("a.tif")
    (folder / part / "a.tif").unlink()
    with pytest.raises(FileError, match=part):
        open_pairs(folder)
    (folder / part).rmdir()
    with pytest.raises(FileError, match=part):
        open_pairs(folder)
    with pytest.raises(FileError, match="nowhere"):
        open_pairs(folder / "nowhere")


def test_folder_beside_a_file_is_refused(pairs_folder: Callable[..., Path]) -> None:
    folder = pairs_folder("a.tif")
    with pytest.raises(FileError, match="folder"):
        open_pairs(PairsSpec(folder / "brightfield" / "a.tif", folder / "mitochondria"))


@pytest.mark.parametrize("skipped", [False, True])
@pytest.mark.parametrize("damage", ["unreadable", "size", "three dimensions", "colour"])
def test_one_bad_file_among_many_is_named_and_left_out_by_choice(
    pairs_folder: Callable[..., Path], damage: str, skipped: bool
) -> None:
    folder = pairs_folder("a.tif", "b.tif", "c.tif")
    bad = folder / "mitochondria" / "b.tif"
    if damage == "unreadable":
        bad.write_bytes(b"not a TIFF")
    elif damage == "colour":
        tifffile.imwrite(bad, image_of(32, 32, 3), photometric="rgb")
    else:
        write(bad, image_of(*{"size": (32, 31), "three dimensions": (2, 32, 32)}[damage]))
    opened = open_pairs(pairs_in(folder, skip_unreadable=skipped))
    assert [pair.name for pair in opened.pairs] == ["a.tif", "c.tif"]
    (finding,) = opened.findings
    assert finding.severity == ("warning" if skipped else "error")
    assert finding.pairs == ("b.tif",)
    assert finding.message.startswith("b.tif is left out: " if skipped else "b.tif cannot be used: Expected")
    assert finding.message.endswith(".")
    assert opened.skip_unreadable == skipped


def test_stacks_that_are_open_already() -> None:
    stack, other = Stack(image_of(3, 20, 20), "TYX"), Stack(image_of(4, 20, 20), "TYX")
    opened = open_stacks([("one", stack, stack), ("two", stack, other)])
    assert [pair.acquisition for pair in opened.pairs] == ["one"] * 3
    assert [(severity, message[:18]) for severity, message in said(opened)] == [("error", "two cannot be used")]
