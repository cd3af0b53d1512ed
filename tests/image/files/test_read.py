"""The images of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image

from napari_mitostain.errors import FileError
from napari_mitostain.image.files import list_images


def test_list_images_finds_what_can_be_read(tmp_path: Path, ramp: np.ndarray) -> None:
    for name in ("b.TIF", "a.ome.tif", "c.tiff", ".hidden.tif", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.tif").mkdir()
    (tmp_path / "e.zarr").write_bytes(b"")
    Image.fromarray(ramp[0]).save(tmp_path / "f.png")
    zarr.create_array(tmp_path / "g.zarr", data=ramp)
    assert [path.name for path in list_images(tmp_path)] == ["a.ome.tif", "b.TIF", "c.tiff", "f.png", "g.zarr"]


def test_list_images_of_a_folder_without_any(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileError, match=r"Expected images .* got none"):
        list_images(tmp_path)
    with pytest.raises(FileError, match="Expected a folder"):
        list_images(tmp_path / "absent")
