"""A job that ended early is gone on with: finished parts are proven and kept, nothing of another job is mixed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_mitostain.config import ScalingSettings, StainSettings
from napari_mitostain.errors import FileError, NoContrastError
from napari_mitostain.events import Event, FileDone, Notice, PlaneDone, UnitsKept
from napari_mitostain.image.files import Provenance, open_writer, read_stack, resumable, unfinished, write, writer
from napari_mitostain.image.files.atomic import discard, publish
from napari_mitostain.model.loading import Model
from napari_mitostain.staining import stain, stain_file, stain_folder

EXACT = StainSettings(device="cpu", precision="float32", tile=32)
OUTPUTS = ["out.zarr", "out.tif"]


@pytest.fixture
def planes(cells: np.ndarray) -> np.ndarray:
    return np.stack([np.roll(cells, 7 * number, axis=0) for number in range(4)])


@pytest.fixture
def source(tmp_path: Path, planes: np.ndarray) -> Path:
    array = zarr.create_array(tmp_path / "in.zarr", shape=planes.shape, chunks=(1, 32, 32), dtype=planes.dtype)
    array[:] = planes
    return tmp_path / "in.zarr"


def stop_after(events: Iterator[Event], planes: int) -> None:
    """End a job once so many planes are done."""
    with closing(events):  # type: ignore[type-var]
        for event in events:
            planes -= isinstance(event, PlaneDone)
            if not planes:
                next(events)  # the plane is written when the job goes on
                return


def done_again(events: list[Event]) -> int:
    return sum(isinstance(event, PlaneDone) for event in events)


def kept(events: list[Event]) -> int:
    return sum(event.count for event in events if isinstance(event, UnitsKept))


def loaded(path: Path) -> np.ndarray:
    return np.asarray(read_stack(path).data)


@pytest.mark.parametrize("name", OUTPUTS)
def test_finished_planes_are_kept_and_the_result_is_that_of_one_run(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, name: str
) -> None:
    stop_after(stain_file(source, tmp_path / name, tiny_model, EXACT), 2)
    assert not (tmp_path / name).exists()
    events = list(stain_file(source, tmp_path / name, tiny_model, EXACT))
    assert (kept(events), done_again(events)) == (2, 2)
    assert next(event.message for event in events if isinstance(event, Notice)).startswith("2 parts of the stain")
    np.testing.assert_array_equal(loaded(tmp_path / name), stain(planes, tiny_model, EXACT))
    assert unfinished(tmp_path / name) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_plane_that_changed_in_the_input_or_on_the_disk_is_done_again(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, name: str
) -> None:
    stop_after(stain_file(source, tmp_path / name, tiny_model, EXACT), 3)
    planes[0, 5, 5] += 1
    zarr.open_array(source, mode="r+")[0] = planes[0]
    (folder,) = unfinished(tmp_path / name)
    if name.endswith("zarr"):
        zarr.open_array(folder / "image.zarr", path="0", mode="r+")[1, 3, 4] = 0.123
    else:
        image = tifffile.memmap(folder / "image.tif")
        image[1, 3, 4] = 0.123
        image.flush()
        del image
    (folder / "finished" / "2").write_text("{")  # as a power cut may leave it
    events = list(stain_file(source, tmp_path / name, tiny_model, EXACT))
    assert (kept(events), done_again(events)) == (0, 4)
    np.testing.assert_array_equal(loaded(tmp_path / name), stain(planes, tiny_model, EXACT))


def test_another_model_or_other_settings_begin_anew_and_leave_what_was_begun(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / "out.zarr"
    stop_after(stain_file(source, output, tiny_model, EXACT), 2)
    (begun,) = unfinished(output)
    for model, settings in ((replace(tiny_model, sha256="another"), EXACT), (tiny_model, replace(EXACT, tile=16))):
        events = list(stain_file(source, output, model, settings, overwrite=True))
        assert (kept(events), done_again(events)) == (0, 4)
        assert [str(begun) in event.message for event in events if isinstance(event, Notice)] == [True]
    assert unfinished(output) == [begun]
    events = list(stain_file(source, output, tiny_model, EXACT, overwrite=True))
    assert kept(events) == 2


def test_folder_of_the_same_job_is_not_taken_for_anothers_by_a_relative_name(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stop_after(stain_file(source, Path("out.zarr"), tiny_model, EXACT), 1)
    said = [
        event.message for event in stain_file(source, Path("out.zarr"), tiny_model, EXACT) if isinstance(event, Notice)
    ]
    assert ["finished by an earlier run" in message for message in said] == [True]


def test_output_that_another_run_is_writing_is_refused(tiny_model: Model, source: Path, tmp_path: Path) -> None:
    first = stain_file(source, tmp_path / "out.zarr", tiny_model, EXACT)
    with closing(first):
        next(first)
        with pytest.raises(FileError, match="which another run is writing"):
            list(stain_file(source, tmp_path / "out.zarr", tiny_model, EXACT))


def test_kill_while_the_image_is_made_is_begun_anew(tiny_model: Model, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    stop_after(stain_file(source, output, tiny_model, EXACT), 1)
    (folder,) = unfinished(output)
    (folder / "image.tif").rename(folder / ".new-image.tif")
    (folder / ".new-image.tif").write_bytes(b"II")
    assert isinstance(list(stain_file(source, output, tiny_model, EXACT))[-1], FileDone)


def test_constant_planes_are_found_in_parts_and_a_constant_stack_is_refused(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path
) -> None:
    zarr.open_array(source, mode="r+")[2:] = 7
    stop_after(stain_file(source, tmp_path / "out.zarr", tiny_model, EXACT), 2)
    events = list(stain_file(source, tmp_path / "out.zarr", tiny_model, EXACT))  # what is left is constant
    assert isinstance(events[-1], FileDone)
    zarr.open_array(source, mode="r+")[:] = 7
    with pytest.raises(NoContrastError):
        list(stain_file(source, tmp_path / "flat.zarr", tiny_model, EXACT))
    assert unfinished(tmp_path / "flat.zarr") == []


@pytest.mark.parametrize("name", [*OUTPUTS, "out.png"])
def test_complete_stain_is_proven_and_kept(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, name: str
) -> None:
    if name == "out.png":  # which holds a single plane
        source = tmp_path / "in.png"
        Image.fromarray((255 * planes[0]).astype(np.uint8)).save(source)
    list(stain_file(source, tmp_path / name, tiny_model, EXACT))
    stained = loaded(tmp_path / name)
    times = {path: path.stat().st_mtime_ns for path in [tmp_path / name, *(tmp_path / name).rglob("*")]}
    *others, last = stain_file(source, tmp_path / name, tiny_model, EXACT)
    assert isinstance(last, FileDone)
    assert last.kept
    assert not done_again(others)
    assert times == {path: path.stat().st_mtime_ns for path in times}
    np.testing.assert_array_equal(loaded(tmp_path / name), stained)
    assert unfinished(tmp_path / name) == []


@pytest.mark.parametrize("changed", ["input", "stain", "kind"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_complete_stain_that_changed_or_whose_input_did_is_replaced_only_if_asked(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, name: str, changed: str
) -> None:
    output = tmp_path / name
    list(stain_file(source, output, tiny_model, EXACT))
    if changed == "input":
        zarr.open_array(source, mode="r+")[3] = planes[0]
    elif changed == "kind":
        discard(output)
        with open_writer(output, read_stack(source), Provenance("other", "other", "other")) as other:
            other.write((0,), planes[0])
    elif name == "out.zarr":
        zarr.open_array(output, path="0", mode="r+")[3, 3, 4] = 0.123
    else:
        image = tifffile.memmap(output)
        image[3, 3, 4] = 0.123
        image.flush()
        del image
    before = loaded(output)
    with pytest.raises(FileError, match="changed since; add --overwrite"):
        list(stain_file(source, output, tiny_model, EXACT))
    np.testing.assert_array_equal(loaded(output), before)
    events = list(stain_file(source, output, tiny_model, EXACT, overwrite=True))
    assert done_again(events) == 4
    np.testing.assert_array_equal(loaded(output), stain(loaded(source), tiny_model, EXACT))


@pytest.mark.parametrize("name", OUTPUTS)
def test_damaged_stain_is_refused_and_not_a_crash(tiny_model: Model, source: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    list(stain_file(source, output, tiny_model, EXACT))
    for path in [output] if output.is_file() else output.rglob("zarr.json"):
        path.write_bytes(b"{}")
    with pytest.raises(FileError, match="Expected"):
        list(stain_file(source, output, tiny_model, EXACT))
    assert done_again(list(stain_file(source, output, tiny_model, EXACT, overwrite=True))) == 4


def test_complete_stain_of_another_model_is_refused(tiny_model: Model, source: Path, tmp_path: Path) -> None:
    list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    scaled = replace(tiny_model.card, scaling=ScalingSettings(background_px=5))  # the same weights
    for other in (replace(tiny_model, sha256="another"), replace(tiny_model, card=scaled)):
        with pytest.raises(FileError, match="Expected a new file"):
            list(stain_file(source, tmp_path / "out.tif", other, EXACT))


def test_complete_stain_with_digests_of_another_kind_is_like_any_other_file(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as former:
        former.setattr(write, "DIGESTS", "SHA-256")
        list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    with pytest.raises(FileError, match="Expected a new file"):  # and not that somebody has changed it
        list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))


def test_kill_just_after_a_stain_got_its_name_leaves_nothing_for_good(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(resumable.shutil, "rmtree", lambda *_args, **_options: None)  # what the kill forestalls
        list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    assert unfinished(tmp_path / "out.tif")
    list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    assert unfinished(tmp_path / "out.tif") == []


@pytest.fixture
def folder(tmp_path: Path, planes: np.ndarray) -> Path:
    (tmp_path / "in").mkdir()
    for number, plane in enumerate(planes):
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", plane)
    return tmp_path / "in"


def of_files(events: list[Event]) -> list[bool]:
    return [event.kept for event in events if isinstance(event, FileDone)]


def test_finished_files_of_a_folder_are_kept(tiny_model: Model, folder: Path, tmp_path: Path) -> None:
    events = stain_folder(folder, tmp_path / "out", tiny_model, EXACT)
    while not isinstance(next(events), FileDone):
        pass
    events.close()  # type: ignore[attr-defined]
    assert of_files(list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))) == [True, False, False, False]
    assert of_files(list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))) == [True] * 4
    with pytest.raises(FileError, match="4 that exist"):
        list(stain_folder(folder, tmp_path / "out", replace(tiny_model, sha256="another"), EXACT))


def test_kill_as_a_stain_gets_its_name_loses_nothing(
    tiny_model: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(partial: Path, path: Path) -> None:
        if path.name == "1.tif":
            raise KeyboardInterrupt
        publish(partial, path)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    events = list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    assert of_files(events) == [True, False, False, False]
    assert kept(events) == 1  # nothing of the second is computed again
    assert of_files(list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))) == [True] * 4


def test_file_of_the_users_that_took_the_name_of_an_unfinished_stain_is_left(
    tiny_model: Model, folder: Path, tmp_path: Path
) -> None:
    events = stain_folder(folder, tmp_path / "out", tiny_model, EXACT)
    while not isinstance(next(events), FileDone):
        pass
    next(events)  # the second is begun
    events.close()  # type: ignore[attr-defined]
    (tmp_path / "out" / "1.tif").write_bytes(b"mine")
    with pytest.raises(FileError, match=r"1 that exist \(1\.tif"):
        list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    assert (tmp_path / "out" / "1.tif").read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["in", "out"])
def test_file_that_cannot_be_read_any_more_is_named_and_the_others_go_on(
    tiny_model: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    open_as_it_is = tifffile.TiffFile.__init__

    def opened(file: tifffile.TiffFile, path: Path, *args: Any, **options: Any) -> None:
        if Path(path) == tmp_path / kind / "1.tif":
            raise PermissionError(13, "Permission denied", str(path))
        open_as_it_is(file, path, *args, **options)

    monkeypatch.setattr(tifffile.TiffFile, "__init__", opened)
    told = list[Event]()
    with pytest.raises(FileError, match=r"1 that cannot: 1\.tif"):
        told.extend(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))  # what comes before the error stays
    assert of_files(told) == [True] * 3
    assert ["get the right to read it" in event.message for event in told if isinstance(event, Notice)] == [True]


@pytest.mark.parametrize("changed", ["in", "out"])
def test_file_that_changed_since_is_not_taken_for_finished_and_not_overwritten_unasked(
    tiny_model: Model, folder: Path, tmp_path: Path, planes: np.ndarray, changed: str
) -> None:
    list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    tifffile.imwrite(tmp_path / changed / "2.tif", planes[0])
    content = (tmp_path / "out" / "2.tif").read_bytes()
    with pytest.raises(FileError, match=r"1 that cannot: 2\.tif"):
        list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    assert (tmp_path / "out" / "2.tif").read_bytes() == content
    events = list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT, overwrite=True))
    assert of_files(events) == [True, True, False, True]
