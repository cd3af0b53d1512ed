"""Nothing is lost: outputs that exist, full disks, interrupts, folders that refuse."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_mitostain.errors import FileError, ImageError
from napari_mitostain.image import Stack
from napari_mitostain.image.files import Provenance, open_writer, read_stack

NAMES = ["a.tif", "a.ome.tif", "a.zarr", "a.png"]
LIKE = Stack(np.zeros((1, 8, 9), np.uint8), "ZYX")
FORMER = np.full((1, 8, 9), 0.25, np.float32)
LATTER = np.full((1, 8, 9), 0.75, np.float32)


def save(path: Path, stain: np.ndarray, provenance: Provenance, **options: Any) -> Path:
    """Write a stain (Z, Y, X)."""
    with open_writer(path, Stack(stain, "ZYX"), provenance, **options) as writer:
        for z, plane in enumerate(stain):
            writer.write((z,), plane)
    return path


def level(path: Path) -> float:
    """Read the value of a constant stain back."""
    stack = read_stack(path)
    plane = stack.read(stack.planes()[0])
    return round(float(plane.max()) / (65535 if plane.dtype == np.uint16 else 1), 2)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_existing_output_is_refused_then_overwritten(tmp_path: Path, provenance: Provenance, name: str) -> None:
    path = save(tmp_path / name, FORMER, provenance)
    with pytest.raises(FileError, match=r"exists; add --overwrite"):
        open_writer(path, LIKE, provenance)
    assert level(path) == 0.25
    save(path, LATTER, provenance, overwrite=True)
    assert level(path) == 0.75
    assert left_in(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_exception_leaves_the_former_output(
    tmp_path: Path, provenance: Provenance, name: str, error: type[BaseException]
) -> None:
    path = save(tmp_path / name, FORMER, provenance)
    with pytest.raises(error), open_writer(path, LIKE, provenance, overwrite=True) as writer:  # noqa: PT012
        writer.write((0,), LATTER[0])
        raise error
    assert level(path) == 0.25
    assert left_in(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_output_appears_only_when_complete(tmp_path: Path, provenance: Provenance, name: str) -> None:
    with open_writer(tmp_path / name, LIKE, provenance) as writer:
        writer.write((0,), LATTER[0])
        assert not (tmp_path / name).exists()
    assert level(tmp_path / name) == 0.75


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def fill_disk_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the call that brings the bytes of this format to the disk fail as on a full one."""
    if name.endswith("zarr"):
        monkeypatch.setattr(Path, "write_bytes", full)
    elif name.endswith("png"):
        monkeypatch.setattr(Image.Image, "save", full)
    else:
        monkeypatch.setattr("os.fsync", full)


@pytest.mark.parametrize("name", NAMES)
def test_full_disk_is_one_sentence_and_the_former_output_stays(
    tmp_path: Path, provenance: Provenance, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / name, FORMER, provenance)
    with (  # noqa: PT012
        pytest.raises(FileError, match=rf"{path}.*No space left") as caught,
        open_writer(path, LIKE, provenance, overwrite=True) as writer,
    ):
        fill_disk_of(name, monkeypatch)
        writer.write((0,), LATTER[0])
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert level(path) == 0.25
    assert left_in(tmp_path) == [name]


def test_tiff_plane_on_a_full_disk(tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile:
        seek = flush = close = staticmethod(lambda *_: None)
        write = staticmethod(full)

    with (  # noqa: PT012
        pytest.raises(FileError, match="No space left"),
        open_writer(tmp_path / "a.tif", LIKE, provenance) as writer,
    ):
        writer._file.close()
        monkeypatch.setattr(writer, "_file", FullFile())
        writer.write((0,), LATTER[0])
    assert left_in(tmp_path) == []


def test_too_little_room_is_refused_before_the_work(
    tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(FileError, match="MB of free disk space"):
        open_writer(tmp_path / "a.tif", LIKE, provenance)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("refused", ["mkdir", "start"])
def test_disk_that_refuses_at_the_start(
    tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setattr(*((Path, "mkdir", full) if refused == "mkdir" else (tifffile.TiffWriter, "write", full)))
    with pytest.raises(FileError, match="No space left"), open_writer(tmp_path / "a.tif", LIKE, provenance):
        pytest.fail("the work must not begin")
    assert left_in(tmp_path) == []


def test_failing_swap_of_zarr_folders_brings_the_former_back(
    tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.zarr", FORMER, provenance)
    rename: Callable[[Path, Path], Path] = Path.rename

    def refuse_partial(source: Path, target: Path) -> Path:
        return full() if "partial" in source.name else rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_partial)
    with pytest.raises(FileError, match="No space left"):
        save(path, LATTER, provenance, overwrite=True)
    assert level(path) == 0.25
    assert left_in(tmp_path) == ["a.zarr"]


def test_output_that_appears_meanwhile_is_not_replaced(tmp_path: Path, provenance: Provenance) -> None:
    path = tmp_path / "a.tif"
    with pytest.raises(FileError, match="came to exist meanwhile"), open_writer(path, LIKE, provenance):
        path.write_text("another's")
    assert path.read_text() == "another's"
    assert left_in(tmp_path) == ["a.tif"]


def test_zarr_replaces_no_folder_of_something_else(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("all my work")
    with pytest.raises(FileError, match="Expected to replace a zarr folder"):
        open_writer(tmp_path / "a.zarr", LIKE, provenance, overwrite=True)
    assert (tmp_path / "a.zarr" / "thesis.txt").read_text() == "all my work"


def test_tiff_replaces_no_folder(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(FileError, match="Expected a file name"):
        open_writer(tmp_path / "a.tif", LIKE, provenance, overwrite=True)


def test_link_stays_and_its_file_is_replaced(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "real").mkdir()
    real = save(tmp_path / "real" / "a.tif", FORMER, provenance)
    (tmp_path / "link.tif").symlink_to(real)
    save(tmp_path / "link.tif", LATTER, provenance, overwrite=True)
    assert (tmp_path / "link.tif").is_symlink()
    assert level(real) == 0.75


def test_link_names_the_format_of_the_file_it_points_to(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "link.tif").symlink_to(tmp_path / "blob")
    save(tmp_path / "link.tif", LATTER, provenance)
    assert level(tmp_path / "link.tif") == 0.75
    assert (tmp_path / "blob").is_file()


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_input_can_be_overwritten_while_it_is_read(tmp_path: Path, provenance: Provenance, name: str) -> None:
    path = save(tmp_path / name, np.full((2, 8, 9), 0.25, np.float32), provenance)
    source = read_stack(path)
    with open_writer(path, source, provenance, overwrite=True) as writer:
        for index in source.planes():
            writer.write(index, source.read(index) + 0.5)
    np.testing.assert_array_equal(np.asarray(read_stack(path).data), np.full((2, 8, 9), 0.75))


def test_parent_folders_are_made(tmp_path: Path, provenance: Provenance) -> None:
    assert level(save(tmp_path / "new" / "deep" / "a.tif", LATTER, provenance)) == 0.75


def test_folder_that_cannot_be_made(tmp_path: Path, provenance: Provenance) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Expected to write"):
        open_writer(tmp_path / "file" / "a.tif", LIKE, provenance)


def test_folder_that_cannot_be_written(tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # chmod would not stop root
    with pytest.raises(FileError, match="Expected a folder that can be written"):
        open_writer(tmp_path / "a.tif", LIKE, provenance)


def test_unknown_suffix(tmp_path: Path, provenance: Provenance) -> None:
    with pytest.raises(FileError, match=r"Expected a name ending in \.tif"):
        open_writer(tmp_path / "a.jpg", LIKE, provenance)


def test_png_takes_a_single_plane(tmp_path: Path, provenance: Provenance) -> None:
    with pytest.raises(ImageError, match=r"single plane for a\.png, got 3; choose a name in \.ome\.tif or \.zarr"):
        open_writer(tmp_path / "a.png", Stack(np.zeros((3, 8, 9), np.uint8), "ZYX"), provenance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("index", "shape"), [((1,), (8, 9)), ((-1,), (8, 9)), ((0,), (9, 8))])
def test_plane_that_does_not_fit_is_refused(
    tmp_path: Path, provenance: Provenance, name: str, index: tuple[int], shape: tuple[int, int]
) -> None:
    with (
        pytest.raises(ImageError, match="Expected planes of"),
        open_writer(tmp_path / name, LIKE, provenance) as writer,
    ):
        writer.write(index, np.zeros(shape))
    assert left_in(tmp_path) == []
