"""The list of this computer's runs: it remembers, forgets, and never names what is gone."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from napari_mitostain.errors import FileError
from napari_mitostain.training import registry


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda _: str(tmp_path / "data"))


def run_at(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


def test_runs_are_listed_newest_first_and_once(tmp_path: Path) -> None:
    first, second = run_at(tmp_path / "first"), run_at(tmp_path / "µ second")
    assert registry.known_runs() == []
    for path in (first, second, first):
        registry.remember(path)
    assert registry.known_runs() == [first, second]


def test_run_that_is_gone_or_forgotten_is_not_listed(tmp_path: Path) -> None:
    first, second = run_at(tmp_path / "first"), run_at(tmp_path / "second")
    for path in (first, second):
        registry.remember(path)
    (first / "config.json").unlink()
    assert registry.known_runs() == [second]
    registry.forget(second)
    registry.forget(second)
    assert registry.known_runs() == []
    assert second.is_dir()


def test_new_runs_get_a_name_of_their_own() -> None:
    first = registry.new_run_path("my cells: day 1/2")
    assert first == registry.runs_folder() / "my cells day 1 2"
    first.mkdir(parents=True)
    assert registry.new_run_path("my cells: day 1/2").name == "my cells day 1 2 2"
    assert registry.new_run_path(" .. ").name == "run"


def test_name_that_no_folder_can_have_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="choose another name"):
        registry.new_run_path("x" * 300, tmp_path)


def test_place_that_may_not_be_looked_into_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)  # which nobody refuses to root
    with pytest.raises(FileError, match="choose a folder that you may write to"):
        registry.new_run_path("run", Path("closed"))


def test_run_that_cannot_be_looked_for_is_not_listed(tmp_path: Path) -> None:
    run = run_at(tmp_path / "run")
    registry.remember(tmp_path / ("x" * 300))
    registry.remember(run)
    assert registry.known_runs() == [run]


def test_place_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    registry.remember(run_at(tmp_path / "run"))
    assert registry.known_runs() == []


@pytest.mark.parametrize("name", ["registry", "run", "presets", "previews", "spec"])
def test_what_lists_and_shows_runs_loads_no_torch(name: str) -> None:
    code = f"import napari_mitostain.training.{name}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
