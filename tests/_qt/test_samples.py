"""File > Open Sample and the demo, on small files made for the test."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from imageio.v3 import imread

from napari_mitostain._qt import demo, samples
from napari_mitostain.errors import FileError, ImageError, MitostainError
from napari_mitostain.image.files import read_stack

SIZE = {axis: {f"PhysicalSize{axis}": 0.08, f"PhysicalSize{axis}Unit": "µm"} for axis in "ZYX"}
SIZE["T"] = {"TimeIncrement": 5.0, "TimeIncrementUnit": "s"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    random = np.random.default_rng(3)
    for name, axes in (
        ("brightfield_stack", "ZYX"),
        ("stack_mitochondria", "ZYX"),
        ("pair_brightfield", "YX"),
        ("pair_mitochondria", "YX"),
        ("times_brightfield", "TYX"),
        ("times_mitochondria", "TYX"),
    ):
        image = random.integers(0, 255, (3, 48, 40)[-len(axes) :], dtype=np.uint8)
        metadata = {"axes": axes, **{key: value for axis in axes for key, value in SIZE[axis].items()}}
        tifffile.imwrite(folder / f"{name}.ome.tif", image, ome=True, metadata=metadata)
    monkeypatch.setattr(samples, "FOLDER", folder)
    return folder


def test_samples_open_with_pixel_size_units_and_labels(viewer, files):
    (stack,) = viewer.open_sample("napari-mitostain", "brightfield_stack")
    assert stack.data.shape == (3, 48, 40)
    np.testing.assert_allclose(stack.scale, (0.08, 0.08, 0.08))
    assert stack.axis_labels == ("z", "y", "x")
    assert {str(unit) for unit in stack.units} == {"micrometer"}
    viewer.layers.clear()
    brightfield, mitochondria = viewer.open_sample("napari-mitostain", "pair")
    assert [brightfield.name, mitochondria.name] == ["brightfield", "mitochondria"]
    np.testing.assert_allclose(mitochondria.scale, (0.08, 0.08))
    viewer.layers.clear()
    layers = viewer.open_sample("napari-mitostain", "stack_pair")
    assert [(layer.name, layer.data.shape) for layer in layers] == [
        ("brightfield", (3, 48, 40)),
        ("mitochondria", (3, 48, 40)),
    ]


def test_time_lapse_opens_with_seconds(viewer, files):
    for layer in viewer.open_sample("napari-mitostain", "time_lapse"):
        assert layer.data.shape == (3, 48, 40)
        np.testing.assert_allclose(layer.scale, (5, 0.08, 0.08))
        assert layer.axis_labels == ("t", "y", "x")
        assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]


def test_shipped_stack_goes_through_focus(viewer):
    brightfield, mitochondria = viewer.open_sample("napari-mitostain", "through_focus")
    assert brightfield.axis_labels == mitochondria.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(brightfield.scale, (0.5, 0.08, 0.08))
    assert {str(unit) for unit in brightfield.units} == {"micrometer"}
    sharpness = np.square(np.diff(np.asarray(mitochondria.data, float), axis=1)).mean(axis=(1, 2))
    assert 2 < np.argmax(sharpness) < len(sharpness) - 3
    assert sharpness.max() > 1.5 * max(sharpness[0], sharpness[-1])


def test_demo_leaves_a_picture_and_the_stain(files, small_model, viewer, tmp_path, monkeypatch, qtbot):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    demo.run_demo(tmp_path / "out" / "picture.png", tmp_path / "stain.ome.tif")
    picture: Any = imread(tmp_path / "out" / "picture.png")
    assert min(picture.shape[:2]) > 400
    written = read_stack(tmp_path / "stain.ome.tif")
    assert [written.axes, written.shape, written.pixel_size] == ["ZYX", (3, 48, 40), pytest.approx(0.08)]
    assert np.asarray(written.data).any()
    with tifffile.TiffFile(tmp_path / "stain.ome.tif") as file:
        assert "digitally_predicted" in (file.ome_metadata or "")


@pytest.mark.parametrize("taken", ["picture.png", "stain.ome.tif"])
def test_demo_refuses_names_that_are_taken_before_the_viewer_opens(files, tmp_path, monkeypatch, taken):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda **_: pytest.fail("the work must not begin"))
    (tmp_path / taken).write_text("precious")
    with pytest.raises(FileError, match="--overwrite"):
        demo.run_demo(tmp_path / "picture.png", tmp_path / "stain.ome.tif")
    assert (tmp_path / taken).read_text() == "precious"


@pytest.mark.parametrize(("picture", "stain"), [("a.tif", None), (None, "a.jpg"), (None, "a.png")])
def test_demo_refuses_names_that_cannot_be_written(files, tmp_path, monkeypatch, picture, stain):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda **_: pytest.fail("the work must not begin"))
    with pytest.raises((FileError, ImageError), match="choose"):
        demo.run_demo(picture and tmp_path / picture, stain and tmp_path / stain)


def test_demo_replaces_files_when_asked_to(files, small_model, viewer, tmp_path, monkeypatch):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    for name in ("picture.png", "stain.ome.tif"):
        (tmp_path / name).write_text("obsolete")
    demo.run_demo(tmp_path / "picture.png", tmp_path / "stain.ome.tif", overwrite=True)
    assert imread(tmp_path / "picture.png").ndim == 3
    assert read_stack(tmp_path / "stain.ome.tif").shape == (3, 48, 40)


def test_stain_that_failed_half_way_is_not_saved(files, small_model, viewer, tmp_path, monkeypatch, notifications):
    import napari

    from napari_mitostain import staining

    whole = staining.stain_stack

    def half(*arguments):
        yield from itertools.islice(whole(*arguments), 2)
        raise ImageError("Expected to go on, got a failure; try again.")

    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    monkeypatch.setattr(staining, "stain_stack", half)
    with pytest.raises(MitostainError, match="Expected a complete stain"):
        demo.run_demo(tmp_path / "picture.png", tmp_path / "stain.ome.tif")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_shipped_samples_fit_each_other():
    for (first, look, _), (second, other, _) in (
        samples.pair(),
        samples.brightfield_stack() + samples.stack_mitochondria(),
        samples.through_focus(),
        samples.time_lapse(),
    ):
        assert first.shape == second.shape
        assert look["scale"] == other["scale"]
        assert look["scale"][-1] == pytest.approx(0.08)
    assert sum(path.stat().st_size for path in samples.FOLDER.iterdir()) < 5e6
