"""The wheel, as a stranger gets it: built, installed into a clean environment, used outside the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
    subprocess.run(command, check=True, capture_output=True)
    return python


def test_wheel_stains_outside_the_checkout(environment, tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", np.random.default_rng(0).integers(0, 255, (96, 80), np.uint8))
    command = [environment.with_name("mitostain"), "stain", "in.tif", "out.ome.tif"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    stain = tifffile.imread(tmp_path / "out.ome.tif")
    assert stain.shape == (96, 80)
    assert stain.dtype == np.float32
    assert stain.std() > 0


def test_base_installation_brings_no_qt_binding(environment):
    listing = subprocess.run(
        [environment, "-m", "pip", "list"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert "qtpy" in listing
    assert not [name for name in ("pyqt5", "pyqt6", "pyside2", "pyside6") if name in listing]


def test_wheel_holds_model_samples_and_manifest_and_stays_small(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    models = [size for name, size in sizes.items() if name.endswith(".safetensors")]
    samples = [size for name, size in sizes.items() if "/samples/" in name]
    assert models
    assert sum(models) <= 16e6
    assert samples
    assert sum(samples) < 5e6
    assert "napari_mitostain/napari.yaml" in sizes


def test_manifest_at_the_root_is_a_relative_link_into_the_package():
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / "src" / "napari_mitostain" / "napari.yaml"
