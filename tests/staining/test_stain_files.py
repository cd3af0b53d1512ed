"""Stains of files and folders: complete or not there, and saying where they come from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_mitostain.config import Precision, StainSettings
from napari_mitostain.errors import DeviceError, FileError, ImageError
from napari_mitostain.events import Event, FileDone, Notice, PlaneDone, TileDone
from napari_mitostain.image.files import read_stack
from napari_mitostain.image.files.write_tiff import OmeTiffWriter
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.staining import files as files_module
from napari_mitostain.staining import provenance, stain, stain_file, stain_folder

EXACT = StainSettings(precision="float32")


@pytest.fixture
def planes() -> np.ndarray:
    """T, C, Y, X."""
    return np.random.default_rng(2).integers(0, 255, (3, 2, 24, 31), dtype=np.uint8)


@pytest.fixture
def source(tmp_path: Path, planes: np.ndarray) -> Path:
    metadata = {"axes": "TCYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "TimeIncrement": 30.0}
    tifffile.imwrite(tmp_path / "cells.ome.tif", planes, ome=True, photometric="minisblack", metadata=metadata)
    return tmp_path / "cells.ome.tif"


@pytest.fixture
def folder(tmp_path: Path, planes: np.ndarray) -> Path:
    """Three images, of which nothing is wrong."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("a.tif", "b.tif", "c.png")):
        Image.fromarray(planes[number, 0]).save(tmp_path / "in" / name)
    return tmp_path / "in"


def visible(folder: Path) -> list[str]:
    """Names in a folder of stains, without the hidden records."""
    return sorted(path.name for path in folder.glob("[!.]*"))


def everything_in(folder: Path) -> dict[str, str]:
    """Map all files to the hash of their content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["stain.ome.tif", "stain.tiff", "stain.zarr", "new/folders/stain.tif"])
def test_output_has_the_stain_the_axes_and_the_scale_of_its_source(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, name: str
) -> None:
    events = list(stain_file(source, tmp_path / name, tiny_model, EXACT, channel=1))
    assert isinstance(events[-1], FileDone)
    assert (events[-1].source, events[-1].output) == (str(source), str(tmp_path / name))
    written = read_stack(tmp_path / name)
    expected = stain(planes, tiny_model, EXACT, axes="TCYX", channel=1)
    loaded = np.stack([written.read(index) for index in written.planes()])
    np.testing.assert_array_equal(loaded, expected[:, 0])
    assert written.axes.replace("C", "") == "TYX"
    assert dict(written.scale) == pytest.approx({"T": 30.0, "Y": 0.1, "X": 0.1})


def test_png_spans_sixteen_bits(tiny_model: Model, folder: Path, planes: np.ndarray, tmp_path: Path) -> None:
    list(stain_file(folder / "c.png", tmp_path / "out.png", tiny_model, EXACT))
    with Image.open(tmp_path / "out.png") as png:
        written = np.asarray(png)
    expected = stain(planes[2, 0], tiny_model, EXACT)
    np.testing.assert_allclose(written / 65535, expected, atol=0.5 / 65535 + 1e-7)  # half a level, and float32


def test_outputs_say_that_they_are_predicted_and_by_which_model(
    tiny_model: Model, source: Path, folder: Path, tmp_path: Path
) -> None:
    saved = save_model(tiny_model, tmp_path / "tiny.safetensors")
    model = load_model(tmp_path / "tiny.safetensors")
    assert model.sha256 == saved.sha256 == hashlib.sha256((tmp_path / "tiny.safetensors").read_bytes()).hexdigest()
    settings = StainSettings(precision="float32", tile=16)
    for name in ("out.tif", "out.zarr"):
        list(stain_file(source, tmp_path / name, model, settings, channel=1))
    list(stain_file(folder / "c.png", tmp_path / "out.png", model, settings))
    with tifffile.TiffFile(tmp_path / "out.tif") as tif:
        texts = {"tif": tif.ome_metadata or ""}
    texts["zarr"] = json.dumps(dict(zarr.open_group(tmp_path / "out.zarr", mode="r").attrs))
    with Image.open(tmp_path / "out.png") as png:
        texts["png"] = " ".join(str(value) for value in png.info.values())
    for text in texts.values():
        plain = text.replace("&quot;", '"').replace("\\", "")
        assert "digitally predicted" in plain
        assert model.sha256 in plain
        assert '"tile": 16' in plain
        assert '"model": "tiny"' in plain
        assert "not quantitative fluorescence" in plain


@pytest.mark.parametrize("name", ["out.ome.tif", "out.zarr", "out.png"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_closing_the_job_leaves_no_file(
    tiny_model: Model, source: Path, folder: Path, tmp_path: Path, name: str, after: int
) -> None:
    before = everything_in(tmp_path)
    events = stain_file(
        folder / "c.png" if name.endswith("png") else source, tmp_path / name, tiny_model, StainSettings(tile=8)
    )
    for _ in range(after):
        next(events)
    events.close()
    assert everything_in(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.ome.tif", "in"]


def test_closing_the_job_keeps_the_file_it_was_to_replace(tiny_model: Model, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.tif").write_bytes(b"precious")
    events = stain_file(source, tmp_path / "out.tif", tiny_model, overwrite=True)
    next(events)
    events.close()
    assert (tmp_path / "out.tif").read_bytes() == b"precious"


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_provenance_tells_what_was_asked_for_and_what_was_done(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    monkeypatch.setattr("napari_mitostain.model.device.available_devices", lambda: ["cpu"])
    monkeypatch.setattr("napari_mitostain.model.device._multiplies_bfloat16", lambda _: False)
    settings = StainSettings(precision=precision)
    details = provenance(tiny_model, settings, "cells.tif", 0).details
    assert details["settings"] == settings.to_dict()
    done = {"auto": "float32", "bfloat16": "bfloat16"}[precision]
    assert details["computed"] == {"device": "cpu", "precision": done}


def test_device_that_is_not_there_leaves_no_output(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_mitostain.model.device.available_devices", lambda: ["cpu"])
    before = everything_in(tmp_path)
    with pytest.raises(DeviceError, match="got cuda"):
        list(stain_file(source, tmp_path / "out.tif", tiny_model, StainSettings(device="cuda")))
    assert everything_in(tmp_path) == before


def test_existing_output_is_refused_before_any_work(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.tif").write_bytes(b"precious")
    monkeypatch.setattr(files_module, "stain_units", lambda *_: pytest.fail("it worked"))
    with pytest.raises(FileError, match="--overwrite"):
        list(stain_file(source, tmp_path / "out.tif", tiny_model))
    assert (tmp_path / "out.tif").read_bytes() == b"precious"


def test_existing_output_is_replaced_with_overwrite(tiny_model: Model, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.tif").write_bytes(b"obsolete")
    list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT, overwrite=True))
    assert read_stack(tmp_path / "out.tif").shape == (3, 24, 31)


@pytest.mark.parametrize("link", [False, True])
def test_the_source_is_never_replaced(tiny_model: Model, source: Path, tmp_path: Path, link: bool) -> None:
    output = source
    if link:
        output = tmp_path / "link.tif"
        output.symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(FileError, match="would replace"):
        list(stain_file(source, output, tiny_model, overwrite=True))
    assert source.read_bytes() == before


@pytest.mark.parametrize("channel", [-1, 2])
def test_unknown_channel_is_refused_before_anything_is_written(
    tiny_model: Model, source: Path, tmp_path: Path, channel: int
) -> None:
    with pytest.raises(ImageError, match="channel"):
        list(stain_file(source, tmp_path / "deep" / "out.tif", tiny_model, channel=channel))
    assert not (tmp_path / "deep").exists()


def test_constant_source_leaves_no_output(tiny_model: Model, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((20, 20), 9, np.uint8))
    with pytest.raises(ImageError, match="contrast"):
        list(stain_file(tmp_path / "flat.tif", tmp_path / "out.tif", tiny_model))
    assert [path.name for path in tmp_path.iterdir()] == ["flat.tif"]


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the disk take some planes, and then no more."""
    put, room = OmeTiffWriter._put, [after]

    def put_while_there_is_room(self: OmeTiffWriter, *arguments: Any) -> np.ndarray:
        if not room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= 1
        return put(self, *arguments)

    monkeypatch.setattr(OmeTiffWriter, "_put", put_while_there_is_room)


def test_disk_that_fills_up_gives_one_sentence_and_leaves_no_output(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything_in(tmp_path)
    fill_the_disk(monkeypatch, 0)
    with pytest.raises(FileError, match="No space left"):
        list(stain_file(source, tmp_path / "out.tif", tiny_model))
    assert everything_in(tmp_path) == before


def test_disk_that_fills_up_later_costs_no_plane_that_is_finished(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        fill_the_disk(full, 1)
        with pytest.raises(FileError, match="No space left"):
            list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    assert not (tmp_path / "out.tif").exists()
    events = list(stain_file(source, tmp_path / "out.tif", tiny_model, EXACT))
    assert sum(isinstance(event, PlaneDone) for event in events) == 2
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.tif"), stain(planes, tiny_model, EXACT, "TCYX", 0)[:, 0]
    )


def test_disk_too_small_is_noticed_before_any_work(
    tiny_model: Model, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(files_module, "stain_units", lambda *_: pytest.fail("it worked"))
    with pytest.raises(FileError, match="free disk space"):
        list(stain_file(source, tmp_path / "out.tif", tiny_model))
    assert not (tmp_path / "out.tif").exists()


def test_pixels_that_are_no_squares_are_told(tiny_model: Model, planes: np.ndarray, tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.1, "PhysicalSizeYUnit": "µm"}
    plane = planes.reshape(-1, *planes.shape[-2:])[0]
    tifffile.imwrite(tmp_path / "in.ome.tif", plane, photometric="minisblack", metadata={"axes": "YX"} | sizes)
    events = list(stain_file(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif", tiny_model, EXACT))
    (said,) = [event.message for event in events if isinstance(event, Notice)]
    assert said.startswith("in.ome.tif has pixels of 0.1 µm by 0.2 µm, which are taken for squares of 0.1 µm")


def test_folder_gives_a_folder_of_the_same_names(
    tiny_model: Model, folder: Path, planes: np.ndarray, tmp_path: Path
) -> None:
    events = list(stain_folder(folder, tmp_path / "out", tiny_model, EXACT))
    done = [(Path(event.source).name, Path(event.output).name) for event in events if isinstance(event, FileDone)]
    assert done == [("a.tif", "a.tif"), ("b.tif", "b.tif"), ("c.png", "c.png")]
    assert visible(tmp_path / "out") == ["a.tif", "b.tif", "c.png"]
    written = read_stack(tmp_path / "out" / "b.tif")
    np.testing.assert_array_equal(written.read(()), stain(planes[1, 0], tiny_model, EXACT))


def test_fractions_of_a_folder_rise_to_one_over_all_files(tiny_model: Model, folder: Path, tmp_path: Path) -> None:
    events = list(stain_folder(folder, tmp_path / "out", tiny_model, StainSettings(tile=8)))
    fractions = [event.fraction for event in events if isinstance(event, TileDone)]
    assert fractions == sorted(fractions)
    assert fractions[0] < 1 / 3
    assert fractions[-1] == 1
    assert sum(isinstance(event, PlaneDone) for event in events) == 3


def spoil_with_text(path: Path) -> None:
    path.write_text("no image")


def spoil_with_nothing_to_see(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((20, 20), np.uint8))


def spoil_by_cutting(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("spoil", [spoil_with_text, spoil_with_nothing_to_see, spoil_by_cutting])
def test_bad_image_is_named_and_the_others_are_done(
    tiny_model: Model, folder: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / "b.tif")
    events: list[Event] = []
    with pytest.raises(FileError, match=r"3 images .* 1 that cannot: b\.tif"):
        events.extend(stain_folder(folder, tmp_path / "out", tiny_model))
    (notice,) = [event.message for event in events if isinstance(event, Notice)]
    assert notice.startswith("b.tif was left out: Expected")
    assert visible(tmp_path / "out") == ["a.tif", "c.png"]


def test_existing_output_in_a_folder_is_refused_before_any_work(
    tiny_model: Model, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "c.png").write_bytes(b"precious")
    before = everything_in(tmp_path)
    with pytest.raises(FileError, match=r"1 that exist \(c\.png"):
        list(stain_folder(folder, tmp_path / "out", tiny_model))
    assert everything_in(tmp_path) == before
    list(stain_folder(folder, tmp_path / "out", tiny_model, overwrite=True))
    assert len(visible(tmp_path / "out")) == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_never_overwrites_its_inputs(tiny_model: Model, folder: Path, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "link").symlink_to(folder)
    before = everything_in(folder)
    for output in (folder, tmp_path / "link", folder / ".." / "in"):
        events: list[Event] = []
        with pytest.raises(FileError, match="would replace"):
            events.extend(stain_folder(folder, output, tiny_model, overwrite=overwrite))
        assert events == []  # refused before any work
    assert everything_in(folder) == before


def test_closing_the_job_of_a_folder_keeps_the_files_that_are_done(
    tiny_model: Model, folder: Path, tmp_path: Path
) -> None:
    events = stain_folder(folder, tmp_path / "out", tiny_model)
    while not isinstance(next(events), FileDone):
        pass
    next(events)  # in the middle of the second
    events.close()
    assert visible(tmp_path / "out") == ["a.tif"]


@pytest.mark.parametrize("name", ["out.tif", "out.ome.TIFF", "out.zarr", "out.png"])
def test_folder_never_goes_into_a_folder_with_the_name_of_an_image(
    tiny_model: Model, folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(FileError, match=r"a folder for the stains .* the name of an image"):
        list(stain_folder(folder, tmp_path / name, tiny_model))
    assert not (tmp_path / name).exists()


def notices(events: Iterable[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize(("size", "told"), [(0.1, False), (0.104, False), (0.096, False), (0.106, True), (0.2, True)])
def test_pixels_of_another_size_than_the_models_are_told(
    tiny_model: Model, planes: np.ndarray, tmp_path: Path, size: float, told: bool
) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
    tifffile.imwrite(tmp_path / "in.ome.tif", planes[0, 0], ome=True, metadata=metadata)
    said = notices(stain_file(tmp_path / "in.ome.tif", tmp_path / "out.tif", tiny_model))
    assert len(said) == told
    assert all(f"{size:.3g} µm" in message and "0.1 µm" in message and "--resample" in message for message in said)
    resample = StainSettings(resample=True)
    assert notices(stain_file(tmp_path / "in.ome.tif", tmp_path / "resampled.tif", tiny_model, resample)) == []


def test_first_of_several_channels_is_taken_and_told(
    tiny_model: Model, source: Path, planes: np.ndarray, tmp_path: Path
) -> None:
    (said,) = notices(stain_file(source, tmp_path / "first.tif", tiny_model, EXACT))
    assert "cells.ome.tif has 2 channels, of which the first is taken" in said
    assert notices(stain_file(source, tmp_path / "chosen.tif", tiny_model, EXACT, channel=0)) == []
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "first.tif"), tifffile.imread(tmp_path / "chosen.tif"))
    metadata = {"axes": "CYX", "Channel": {"Name": ["TMRE", "Bright"]}}
    tifffile.imwrite(tmp_path / "named.ome.tif", planes[0], ome=True, photometric="minisblack", metadata=metadata)
    (said,) = notices(stain_file(tmp_path / "named.ome.tif", tmp_path / "named.tif", tiny_model))
    assert "2 channels (0 TMRE, 1 Bright)" in said


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_folder_without_images(tiny_model: Model, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError):
        list(stain_folder(tmp_path / name, tmp_path / "out", tiny_model))
    assert not (tmp_path / "out").exists()


def test_image_in_several_files_is_stained_once_and_none_of_them_replaced(
    tiny_model: Model, planes: np.ndarray, tmp_path: Path, multi_file_ome: Callable[[Path, np.ndarray], list[Path]]
) -> None:
    (tmp_path / "in").mkdir()
    names = multi_file_ome(tmp_path / "in", planes[:, 0])
    events = list(stain_folder(tmp_path / "in", tmp_path / "out", tiny_model, EXACT))
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == [names[0].name]
    assert sum("is a part of part.ome.tif" in event.message for event in events if isinstance(event, Notice)) == 2
    stained = read_stack(tmp_path / "out" / names[0].name)
    np.testing.assert_array_equal(np.asarray(stained.data), stain(planes[:, 0], tiny_model, EXACT))
    before = names[2].read_bytes()
    with pytest.raises(FileError, match="which would replace"):
        list(stain_file(names[0], names[2], tiny_model, EXACT, overwrite=True))
    assert names[2].read_bytes() == before
