"""`mitostain stain`: what it writes and what it says."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.image.files import read_stack
from napari_mitostain.model.loading import load_model
from napari_mitostain.staining import stain


@pytest.mark.parametrize("suffix", [".ome.tif", ".tif", ".zarr", ".png"])
def test_file_is_stained_as_the_api_stains_it(
    mitostain: Any, tmp_path: Path, plane_file: Path, cells: np.ndarray, model_file: Path, suffix: str
) -> None:
    output = tmp_path / f"stain{suffix}"
    done = mitostain("stain", plane_file, output, "--model", model_file)
    assert (done.status, done.err) == (0, "")
    written = read_stack(output)
    assert written.plane_shape == cells.shape
    values = written.read(()) / (65535 if suffix == ".png" else 1)
    np.testing.assert_allclose(values, stain(cells, load_model(model_file)), atol=1 / 65535)
    if suffix != ".png":
        assert written.pixel_size == pytest.approx(0.1)


def test_json_is_the_last_line_and_says_what_was_done(
    mitostain: Any, tmp_path: Path, plane_file: Path, model_file: Path
) -> None:
    done = mitostain("stain", plane_file, tmp_path / "out.tif", "--model", model_file, "--tile", 16, "--json")
    assert done.json["outputs"] == [str(tmp_path / "out.tif")]
    assert done.json["notices"] == []
    assert done.json["model"] == "tiny"
    assert done.json["model_sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert done.json["settings"]["tile"] == 16
    assert done.json["seconds"] > 0


def test_words_for_people_hold_the_limits(mitostain: Any, tmp_path: Path, plane_file: Path, model_file: Path) -> None:
    done = mitostain("stain", plane_file, tmp_path / "out.tif", "--model", model_file)
    assert "not quantitative fluorescence" in done.out
    assert "1 image(s)" in done.out


def test_model_by_its_name_is_the_default_one(mitostain: Any, tmp_path: Path, plane_file: Path) -> None:
    named = mitostain("stain", plane_file, tmp_path / "a.tif", "--model", "h9c2-omp25", "--json").json
    default = mitostain("stain", plane_file, tmp_path / "b.tif", "--json").json
    assert named["model_sha256"] == default["model_sha256"]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), tifffile.imread(tmp_path / "b.tif"))


def test_folder_is_stained_and_the_bad_one_named(
    mitostain: Any, tmp_path: Path, cells: np.ndarray, model_file: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.tif", "c.tif"):
        tifffile.imwrite(source / name, cells)
    (source / "b.tif").write_text("no image")
    done = mitostain("stain", source, tmp_path / "out", "--model", model_file)
    assert done.status == 2
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == ["a.tif", "c.tif"]
    *notices, error = done.err.splitlines()
    assert [line.split(" was left out")[0] for line in notices] == ["mitostain: b.tif"]
    assert "1 that cannot: b.tif" in error
    assert "Traceback" not in done.err
    again = mitostain("stain", source, tmp_path / "json", "--model", model_file, "--json")
    assert (again.status, again.err.splitlines()[-1]) == (2, error)
    told = json.loads(again.out)
    assert told["outputs"] == [str(tmp_path / "json" / name) for name in ("a.tif", "c.tif")]
    assert [f"mitostain: {notice}" for notice in told["notices"]] == notices


def test_notices_go_to_standard_error_and_into_the_json(
    mitostain: Any, tmp_path: Path, cells: np.ndarray, model_file: Path
) -> None:
    image = cells.astype(np.float32)
    image[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "holed.tif", image)
    done = mitostain("stain", tmp_path / "holed.tif", tmp_path / "out.tif", "--model", model_file, "--json")
    assert done.status == 0
    assert "not finite" in done.err
    assert ["not finite" in notice for notice in done.json["notices"]] == [True]


def test_overwrite_replaces(mitostain: Any, tmp_path: Path, plane_file: Path, model_file: Path) -> None:
    (tmp_path / "out.tif").write_text("old")
    done = mitostain("stain", plane_file, tmp_path / "out.tif", "--model", model_file, "--overwrite")
    assert done.status == 0
    assert tifffile.imread(tmp_path / "out.tif").dtype == np.float32


def test_same_command_again_proves_what_is_there(
    mitostain: Any, tmp_path: Path, plane_file: Path, model_file: Path
) -> None:
    command = ["stain", plane_file, tmp_path / "out.tif", "--model", model_file, "--json"]
    assert mitostain(*command).json["notices"] == []
    again = mitostain(*command)
    assert again.status == 0
    assert again.json["outputs"] == [str(tmp_path / "out.tif")]
    assert ["1 of 1 images were stained by an earlier run" in notice for notice in again.json["notices"]] == [True]
    assert "stained by an earlier run" in again.err


def test_ctrl_c_leaves_no_output_and_130(tmp_path: Path, cells: np.ndarray, model_file: Path) -> None:
    tifffile.imwrite(tmp_path / "long.tif", np.stack([cells] * 4000), metadata={"axes": "ZYX"})
    output = tmp_path / "out" / "stain.tif"
    command = [sys.executable, "-m", "napari_mitostain", "stain", tmp_path / "long.tif", output, "--model", model_file]
    process = subprocess.Popen([*command, "--tile", "4"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not output.parent.exists() or not [*output.parent.glob(".*")]:  # until it writes
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "mitostain: interrupted; the same command goes on with what is finished\n"
    assert not [*output.parent.glob("[!.]*")]


def run_until_killed(command: list[object], is_time: Callable[[], bool]) -> None:
    """Start a command and end it as a cut of the power would."""
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not is_time():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_batch_that_was_killed_goes_on_and_its_stains_are_those_of_one_run(
    mitostain: Any, tmp_path: Path, cells: np.ndarray, model_file: Path, workers: int
) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(8):
        tifffile.imwrite(source / f"{number}.tif", np.stack([np.roll(cells, shift, 1) for shift in (number, 30)]))
    options = ["--model", model_file, "--precision", "float32", "--device", "cpu", "--tile", 16]
    command = [sys.executable, "-m", "napari_mitostain", "stain", source, output, *options, "--workers", workers]
    run_until_killed(command, lambda: len([*output.glob("[!.]*")]) >= 3)
    assert len([*output.glob("[!.]*")]) < 8
    done = mitostain("stain", source, output, *options, "--json")
    *of_planes, of_files = done.json["notices"]  # a worker may have been in the middle of a file
    assert "stained by an earlier run" in of_files
    assert all("had been finished by an earlier run" in notice for notice in of_planes)
    assert len(of_planes) <= workers
    assert len(done.json["outputs"]) == 8
    assert sorted(path.name for path in output.iterdir()) == sorted([".mitostain", *(f"{n}.tif" for n in range(8))])
    mitostain("stain", source, tmp_path / "once", *options)
    for path in source.iterdir():
        stains = [tifffile.imread(folder / path.name) for folder in (output, tmp_path / "once")]
        np.testing.assert_array_equal(*stains)


def test_address_without_a_scheduler_is_one_sentence(
    mitostain: Any, tmp_path: Path, plane_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_mitostain.staining.cluster._CONNECT_SECONDS", 1)
    done = mitostain("stain", plane_file, tmp_path / "out.zarr", "--model", "tiny", "--scheduler", "tcp://127.0.0.1:1")
    assert "dask scheduler at tcp://127.0.0.1:1" in done.sentence
    assert [path.name for path in tmp_path.iterdir()] == [plane_file.name]


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--workers", 0], "at least 1 worker, got 0"), (["--workers", 2, "--scheduler", "tcp://a:1"], "got both")],
)
def test_workers_that_make_no_sense(
    mitostain: Any, tmp_path: Path, plane_file: Path, options: list[object], told: str
) -> None:
    assert told in mitostain("stain", plane_file, tmp_path / "out.zarr", "--model", "tiny", *options).sentence


NO_TEXT = "a\x01.tif" if sys.platform == "darwin" else "a\x01\udcff.tif"
"""A file name with a control character and, where there are such names, a byte that is no UTF-8."""


def test_file_name_that_is_no_text(mitostain: Any, tmp_path: Path, cells: np.ndarray) -> None:
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / NO_TEXT, cells)
    for source, output in ((tmp_path / "in", tmp_path / "out"), (tmp_path / "in" / NO_TEXT, tmp_path / NO_TEXT)):
        done = mitostain("stain", source, output, "--model", "tiny")
        assert (done.status, done.err) == (0, "")
    for path in (tmp_path / NO_TEXT, tmp_path / "out" / NO_TEXT):
        assert read_stack(path).plane_shape == cells.shape
