"""The command line as a process: its name, its version, its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mitostain.cli import models
from napari_mitostain.errors import MitostainError

COMMANDS = ["demo", "stain", "weights", "train", "evaluate", "models", "benchmark"]


def test_module_runs_as_the_command_does() -> None:
    expected = version("napari-mitostain")
    for command in ([sys.executable, "-m", "napari_mitostain"], [Path(sys.executable).with_name("mitostain")]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{expected}\n"
        assert done.stderr == ""


def test_process_ends_with_the_exit_status_and_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_mitostain", "weights", tmp_path / "absent.tif", tmp_path / "out.tif"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(mitostain: Any, command: str) -> None:
    done = mitostain(command, "--help")
    assert done.status == 0
    assert f"usage: mitostain {command}" in done.out


@pytest.mark.parametrize("arguments", [[], ["stain"], ["stain", "a.tif"], ["models"], ["paint"], ["train", "pairs"]])
def test_incomplete_commands_say_what_is_missing(mitostain: Any, arguments: list[str]) -> None:
    done = mitostain(*arguments)
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("mitostain: ")
    assert line.endswith(" --help.")


@pytest.mark.parametrize("action", [["show", "h9c2-omp25"], ["list"], ["list", "--json"]])
def test_reader_that_has_gone_ends_the_command_quietly(action: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "napari_mitostain", "models", *action]
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_interrupt_before_the_job_is_130(mitostain: Any, plane_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_mitostain.model.loading.load_model", interrupt)
    done = mitostain("stain", plane_file, "out.tif")
    assert (done.status, done.err) == (130, "mitostain: interrupted\n")


def test_lack_of_memory_outside_the_network_is_one_sentence(
    mitostain: Any, tmp_path: Path, plane_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gives_out(*_: object, **__: object) -> np.ndarray:
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr("napari_mitostain.weighing.tn_weights", gives_out)
    assert "memory" in mitostain("weights", plane_file, tmp_path / "out.tif").sentence
    assert not (tmp_path / "out.tif").exists()


def test_error_of_the_program_itself_is_not_hidden(
    mitostain: Any, plane_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("napari_mitostain.model.loading.load_model", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        mitostain("stain", plane_file, "out.tif")


def test_all_errors_are_ours_and_builtins_too() -> None:
    for kind in MitostainError.__subclasses__():
        assert issubclass(kind, (ValueError, OSError, RuntimeError))


def test_place_that_may_not_be_read_is_one_sentence(
    mitostain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "locked"))

    monkeypatch.setattr(models, "run_list", refuse)
    done = mitostain("models", "list")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert f"got {tmp_path / 'locked'} (Permission denied)" in done.err


def test_failure_without_a_place_is_a_bug_and_no_sentence(mitostain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError("what nobody thought of")

    monkeypatch.setattr(models, "run_list", fail)
    with pytest.raises(OSError, match="what nobody thought of"):
        mitostain("models", "list")
