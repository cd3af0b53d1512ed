"""Options of commands, and what they must not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_mitostain.config import StainSettings
from napari_mitostain.image.files import read_stack
from napari_mitostain.staining import stain


def test_stain_of_a_stack_by_a_named_model_with_a_tile(mitostain: Any, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ome.tif"
    done = mitostain("stain", image, out, "--model", "tiny", "--precision", "float32", "--tile", 16, "--json")
    expected = stain(tifffile.imread(image), "tiny", StainSettings(precision="float32", tile=16))
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    assert StainSettings.from_dict(done.json["settings"]) == StainSettings(precision="float32", tile=16)


def test_stain_of_a_channel_resampled(mitostain: Any, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (2, 30, 41), np.uint8)
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2}
    tifffile.imwrite(tmp_path / "in.ome.tif", image, ome=True, photometric="minisblack", metadata=metadata)
    options = ("--model", "tiny", "--precision", "float32", "--channel", 1)
    assert mitostain("stain", tmp_path / "in.ome.tif", tmp_path / "plain.tif", *options).status == 0
    assert mitostain("stain", tmp_path / "in.ome.tif", tmp_path / "resampled.tif", *options, "--resample").status == 0
    plain, resampled = (tifffile.imread(tmp_path / name) for name in ("plain.tif", "resampled.tif"))
    np.testing.assert_array_equal(plain, stain(image[1], "tiny", StainSettings(precision="float32")))
    assert plain.shape == resampled.shape
    assert not np.array_equal(plain, resampled)


def test_stain_of_a_folder_leaves_other_files_alone(mitostain: Any, cells: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.tif", "a.png"):
        Image.fromarray(cells).save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    result = mitostain("stain", tmp_path / "in", tmp_path / "out", "--model", "tiny", "--json").json
    assert result["outputs"] == [str(tmp_path / "out" / name) for name in ("a.png", "b.tif")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".mitostain", "a.png", "b.tif"]


def test_constant_plane_is_told_once(mitostain: Any, image: Path, tmp_path: Path) -> None:
    stack = tifffile.imread(image)
    stack[1] = 3
    tifffile.imwrite(image, stack, photometric="minisblack")
    done = mitostain("stain", image, tmp_path / "out.tif", "--model", "tiny", "--json")
    (notice,) = done.json["notices"]
    assert "constant" in notice
    assert done.err == f"mitostain: {notice}\n"


@pytest.mark.parametrize("output", ["w.zarr", "w.tif"])
def test_weights_of_a_channel(mitostain: Any, tmp_path: Path, output: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (2, 30, 41), np.uint8)
    tifffile.imwrite(tmp_path / "in.ome.tif", image, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
    done = mitostain("weights", tmp_path / "in.ome.tif", tmp_path / output, "--channel", 1)
    assert (done.status, done.err) == (0, "")
    unsaid = mitostain("weights", tmp_path / "in.ome.tif", tmp_path / f"first-{output}")
    assert "2 channels, of which the first is taken" in unsaid.err
    assert str(tmp_path / output) in done.out
    written = read_stack(tmp_path / output)
    assert written.plane_shape == (30, 41)
    assert written.read(written.planes()[0]).max() <= 1


def test_parsing_loads_neither_torch_nor_a_viewer() -> None:
    code = (
        "import sys; from napari_mitostain.cli import main\n"
        "try: main(['stain', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'qtpy', 'napari', 'PyQt6'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert printed.stdout.splitlines()[-1] == "[]"
