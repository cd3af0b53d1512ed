"""Small files that appear only when they are complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.atomic import atomic_write


def test_atomic_write_replaces(tmp_path: Path) -> None:
    for content in (b"former", b"latter"):
        atomic_write(tmp_path / "a.json", content)
        assert (tmp_path / "a.json").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_bytes_are_on_the_disk_before_the_file_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "a.json", []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_size, path.exists())))
    atomic_write(path, b"latter")
    assert synced == [(6, False)]


@pytest.mark.parametrize("step", [(os, "fsync"), (Path, "replace")], ids=["fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "No space left on device"), FileError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_failed_atomic_write_keeps_the_former_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
    error: BaseException,
    raised: type[BaseException],
) -> None:
    (tmp_path / "a.json").write_bytes(b"former")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(*step, fail)
    with pytest.raises(raised):
        atomic_write(tmp_path / "a.json", b"latter")
    monkeypatch.undo()
    assert (tmp_path / "a.json").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
