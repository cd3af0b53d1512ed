"""`mitostain train`: runs, stops by Ctrl-C, resumes."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mitostain.cli import main
from napari_mitostain.cli.train import _lengthen
from napari_mitostain.config import WeightSettings
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import load_model
from napari_mitostain.training.presets import PRESETS
from napari_mitostain.training.run import RunFolder
from napari_mitostain.weighing import write_weighting

TINY = ["--init", "tiny", "--patch", "32", "--batch-size", "1", "--precision", "float32", "--device", "cpu"]


@pytest.fixture
def folder(pairs_folder: Callable[..., Path]) -> Path:
    return pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif")


def test_train_writes_a_run_that_stains(
    folder: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = [*TINY, "--epochs", "2", "--holdout", "b", "--generator-loss", "l1", "--discriminator-loss", "focal"]
    assert main(["train", str(folder), "--output", str(run), *options, "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == "mitostain: Split by acquisition: b validates."
    assert "mitostain: warning: There are only 3 pairs" in printed.err
    lines = [json.loads(line) for line in printed.out.splitlines()]
    told = [line["event"] for line in lines if line["event"] != "Finding"]
    assert told == ["RunStarted", "Notice", "StartScored", "EpochDone", "EpochDone", "RunDone"]
    (started,) = (line for line in lines if line["event"] == "RunStarted")
    assert all("time" in line for line in lines)
    assert started["acquisitions"] == {"training": ["a"], "validation": ["b"]}
    card = load_model(run / "model.safetensors").card
    assert (card.training["generator_loss"], card.training["discriminator_loss"]) == ("l1", "focal")
    out = tmp_path / "out.tif"
    assert main(["stain", str(image), str(out), "--model", lines[-1]["model"]]) == 0
    assert out.exists()


def test_coefficients_of_the_viewer_are_those_of_the_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = WeightSettings(a=(0.1, 0.25, 0.3), b=(0.0, 0.5, 0.6), sigmas=(0.5, 2.0), scope="stack")
    write_weighting(tmp_path / "w.json", chosen)
    options = [*TINY, "--epochs", "1", "--weighting", str(tmp_path / "w.json")]
    assert main(["train", str(folder), "--output", str(tmp_path / "run"), *options]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert WeightSettings.from_dict(config["settings"]["weighting"]) == chosen
    assert load_model(tmp_path / "run" / "model.safetensors").card.weighting == chosen


def test_bad_coefficients_start_no_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.json").write_text('{"sigmas": [3, 1]}')
    command = ["train", str(folder), "--output", str(tmp_path / "run"), *TINY, "--epochs", "1"]
    assert main([*command, "--weighting", str(tmp_path / "w.json")]) == 2
    assert "Expected sigmas to rise" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train_says_where_the_model_is(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(folder), "--output", str(tmp_path / "run"), *TINY, "--epochs", "1", "--holdout"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"Trained {tmp_path / 'run' / 'model.safetensors'}\n"
    assert "No acquisition is held out" in printed.err


def test_train_says_what_it_holds_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", str(folder), *TINY, "--epochs", "1"]
    assert main([*command, "--output", str(tmp_path / "run"), "--holdout", "b"]) == 0
    assert capsys.readouterr().err.endswith("mitostain: Split by acquisition: b validates.\n")
    assert main([*command, "--output", str(tmp_path / "leaks"), "--split", "patch"]) == 0
    assert "too good" in capsys.readouterr().err


def test_folder_of_a_run_is_refused_and_resumed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(folder), "--output", str(tmp_path / "run"), *TINY, "--epochs", "1"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


def test_resumed_run_says_what_it_does_not_follow(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(folder), "--output", str(tmp_path / "run")]
    assert main([*command, *TINY, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main([*command, "--resume", "--json"]) == 0  # what is not given is as it was
    assert "keeps" not in capsys.readouterr().err
    assert main([*command, "--resume", "--minutes", "2", "--seed", "5", "--json"]) == 0
    (notice,) = [line for line in capsys.readouterr().err.splitlines() if "keeps" in line]
    assert "epochs 1 and not None, minutes None and not 2.0, seed 0 and not 5" in notice


def test_interrupt_stops_at_a_checkpoint_from_which_the_run_goes_on(
    folder: Path, tmp_path: Path, installed: Path
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    init = ["--init", str(installed / "tiny.safetensors")]
    options = [*TINY[2:], "--epochs", "60"]
    command = [sys.executable, "-m", "napari_mitostain", "train", str(folder), "--output", str(run), *init, *options]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "EpochDone":
                break
        process.send_signal(signal.SIGINT)
        said = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 130
    assert said[1].splitlines()[-1] == (
        "mitostain: interrupted; the same command with --resume goes on from the checkpoint"
    )
    assert (run / "checkpoint.safetensors").exists()
    assert not list(run.rglob(".*partial*"))
    uninterrupted = [str(whole) if part == str(run) else part for part in command]
    for rest in ([*command, "--resume"], uninterrupted):  # in processes of their own: sums depend on the threads
        subprocess.run(rest, check=True, capture_output=True)
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_pairs_of_two_folders_with_a_preset_of_which_one_setting_is_changed(
    pairs_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif", shape=(40, 40))
    parts = [str(folder / "brightfield"), "--mitochondria", str(folder / "mitochondria")]
    options = [*TINY, "--preset", "quick", "--epochs", "1", "--shift", "b=2,-3"]
    assert main(["train", *parts, "--output", str(tmp_path / "run"), *options]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["ema"] == PRESETS["quick"].settings.ema
    assert (config["settings"]["patch"], config["settings"]["minutes"]) == (32, None)
    assert config["pairs"]["shifts"] == {"b": [2, -3]}


@pytest.mark.parametrize(
    ("preset", "small", "init"),
    [("quick", [], DEFAULT_MODEL), ("thorough", ["--base-channels", "2", "--depth", "2"], "")],
)
def test_only_a_preset_that_is_too_short_for_a_new_generator_starts_from_the_bundled_one(
    folder: Path, tmp_path: Path, preset: str, small: list[str], init: str
) -> None:
    options = [*TINY[2:], "--preset", preset, "--epochs", "1", "--crops-per-frame", "1", *small]
    assert main(["train", str(folder), "--output", str(tmp_path / "run"), *options]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["init"] == init


def test_unknown_preset_and_malformed_shift_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(folder), "--output", str(tmp_path / "run")]
    assert main([*command, "--preset", "fast"]) == 2
    assert "among quick, thorough, paper, got 'fast'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--shift", "b=2"])
    assert "NAME=DY,DX" in capsys.readouterr().err
    assert main([*command, *TINY, "--epochs", "1", "--shift", "nobody=1,2"]) == 2
    assert "Expected shifts of acquisitions among" in (said := capsys.readouterr().err)
    assert "nobody" in said
    assert not (tmp_path / "run").exists()


def test_a_new_run_needs_pairs_and_one_that_is_resumed_has_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--output", str(tmp_path / "run")]
    assert main(["train", *run]) == 2
    assert "Expected a folder of pairs, got none" in capsys.readouterr().err
    assert main(["train", str(folder), *run, *TINY, "--epochs", "1"]) == 0
    assert main(["train", *run, "--resume"]) == 0


def test_resumed_run_goes_on_to_a_later_end(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["--output", str(tmp_path / "run")]
    assert main(["train", str(folder), *run, *TINY, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["train", *run, "--resume", "--epochs", "3", "--json"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "EpochDone"] == [1, 2]
    assert "keeps" not in printed.err


def test_only_the_first_of_several_processes_makes_a_run_longer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    assert main(["train", str(folder), "--output", str(run.path), *TINY, "--epochs", "1"]) == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    asked = argparse.Namespace(output=run.path, epochs=3)
    for rank, epochs in (("1", 1), ("0", 3)):
        monkeypatch.setenv("RANK", rank)
        _lengthen(asked)
        assert run.config().settings.epochs == epochs


def test_findings_about_the_pairs_come_before_the_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(folder / "brightfield" / "a_t2.tif", np.zeros((32, 32), np.uint8))
    (folder / "mitochondria" / "b_t1.tif").unlink()
    command = ["train", str(folder), "--output", str(tmp_path / "run"), *TINY, "--epochs", "1"]
    assert main(command) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "b_t1.tif" in sentence
    assert main([*command, "--skip-unreadable"]) == 0
    said = capsys.readouterr().err
    assert "mitostain: warning: " in said
    assert "b_t1.tif" in said
    assert "a_t2.tif" in said


def test_interrupted_stain_leaves_no_file(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_mitostain.model.predictor import Predictor

    predict = Predictor.stained

    def interrupted(self: Predictor, window: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return predict(self, window)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "stained", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert main(["stain", str(image), str(tmp_path / "out.tif"), "--model", "tiny"]) == 130
    assert capsys.readouterr().err == "mitostain: interrupted; the same command goes on with what is finished\n"
    assert [path.name for path in tmp_path.iterdir()] == ["cells.tif"]
    assert signal.getsignal(signal.SIGINT) is before
