"""`mitostain simulate`: a folder of pairs, and how it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from napari_mitostain.config import CellSettings, SimulationSettings
from napari_mitostain.image.files import list_images, read_stack


def test_a_folder_of_pairs(mitostain: Any, tmp_path: Path) -> None:
    done = mitostain("simulate", tmp_path / "out", "--cells", 2, "--size", 20, "--planes", 2, "--seed", 4, "--bits", 16)
    assert (done.status, done.err) == (0, "")
    assert "2 pair(s)" in done.out
    for kind in ("brightfield", "mitochondria"):
        files = list_images(tmp_path / "out" / kind)
        assert [file.name for file in files] == ["simulated_000004.ome.tif", "simulated_000005.ome.tif"]
        assert [(read_stack(file).shape, str(read_stack(file).data.dtype)) for file in files] == [
            ((2, 20, 20), "uint16")
        ] * 2


def test_a_time_lapse(mitostain: Any, tmp_path: Path) -> None:
    command = ("simulate", tmp_path, "--cells", 1, "--size", 20, "--times", 3, "--interval", 2)
    assert mitostain(*command).status == 0
    for kind in ("brightfield", "mitochondria"):
        stack = read_stack(tmp_path / kind / "simulated_000000.ome.tif")
        assert (stack.axes, stack.shape, stack.scale["T"]) == ("TYX", (3, 20, 20), 2.0)


def test_json_names_pairs_and_settings_and_a_second_call_keeps_them(mitostain: Any, tmp_path: Path) -> None:
    command = ("simulate", tmp_path, "--cells", 1, "--size", 16, "--randomise", 0.5, "--json")
    first, second = mitostain(*command).json, mitostain(*command)
    assert first["pairs"] == ["simulated_000000.ome.tif"]
    assert first["kept"] == []
    assert first["settings"] == json.loads(json.dumps(SimulationSettings((16, 16), randomise=0.5).to_dict()))
    assert second.json["kept"] == first["pairs"]
    assert "--overwrite" in second.err


def test_all_settings_come_from_a_file_and_options_go_first(mitostain: Any, tmp_path: Path) -> None:
    settings = SimulationSettings((16, 18), randomise=0, cell=CellSettings(lipid=0.3))
    (tmp_path / "mine.json").write_text(json.dumps(settings.to_dict()))
    done = mitostain(
        "simulate", tmp_path / "out", "--cells", 1, "--settings", tmp_path / "mine.json", "--planes", 2, "--json"
    )
    assert done.json["settings"]["cell"]["lipid"] == 0.3
    assert read_stack(tmp_path / "out" / "brightfield" / "simulated_000000.ome.tif").shape == (2, 16, 18)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--cells", 0), "number of cells"),
        (("--cells", 1, "--size", 5), "rows"),
        (("--cells", 1, "--planes", 0), "planes"),
        (("--cells", 1, "--times", 0), "times"),
        (("--cells", 1, "--interval", -1), "interval"),
        (("--cells", 1, "--seed", -1), "seed"),
        (("--cells", 1, "--randomise", 9), "randomise"),
        (("--cells", 1, "--settings", "missing.json"), "settings"),
    ],
)
def test_wrong_options_are_a_sentence(mitostain: Any, tmp_path: Path, options: tuple[Any, ...], word: str) -> None:
    assert word in mitostain("simulate", tmp_path / "out", *options).sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["[1]", "{", '{"colour": 1}', '{"cell": {"lipid": -1}}', '{"cell": 3}'])
def test_wrong_files_of_settings_are_a_sentence(mitostain: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    assert mitostain("simulate", tmp_path / "out", "--cells", 1, "--settings", tmp_path / "s.json").sentence


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal that a process can send there")
def test_ctrl_c_stops_after_a_pair_and_leaves_whole_pairs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_mitostain", "simulate", str(tmp_path), "--cells", "9999", "--size", "16"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    started = time.monotonic()
    while not list(tmp_path.glob("brightfield/*.tif")) and time.monotonic() - started < 120:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    both = [sorted(path.name for path in (tmp_path / kind).iterdir()) for kind in ("brightfield", "mitochondria")]
    assert both[0] == both[1]
    assert both[0]
