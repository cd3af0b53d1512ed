"""What is known of a complete image is read back, and whatever else lies there is nothing known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_mitostain.errors import FileError
from napari_mitostain.image.files import Completion, Record

KNOWN = Completion("task", "identity", {"0": Record("a", "b", False), "plane": Record("c", "d", True)})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "stain.tif").write_bytes(b"pixels")
    return tmp_path / "stain.tif"


def test_round_trip(image: Path) -> None:
    assert Completion.of(image) is None
    KNOWN.keep(image)
    assert Completion.of(image) == KNOWN
    assert sorted(path.name for path in image.parent.iterdir()) == [".mitostain", "stain.tif"]


def test_image_that_is_gone_is_not_known(image: Path) -> None:
    KNOWN.keep(image)
    image.unlink()
    assert Completion.of(image) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", "{}", '{"task": "", "units": {}}', '{"task": "", "identity": "", "units": {"0": 3}}'],
)
def test_record_that_is_none_of_ours(image: Path, content: str) -> None:
    KNOWN.keep(image)
    (image.parent / ".mitostain" / "stain.tif.json").write_text(content)
    assert Completion.of(image) is None


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"source": "a"})])
def test_unit_that_is_not_whole(tmp_path: Path, content: str) -> None:
    assert Record.read(tmp_path / "0") is None
    (tmp_path / "0").write_text(content)
    assert Record.read(tmp_path / "0") is None


def test_folder_that_cannot_be_made_is_one_sentence(image: Path) -> None:
    (image.parent / ".mitostain").write_text("a file")
    with pytest.raises(FileError, match="Expected to write"):
        KNOWN.keep(image)
