"""The dock widget in a real viewer, opened through the manifest."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from napari.qt.threading import WorkerBase
from napari.utils.progress import progress
from qtpy.QtCore import QCoreApplication, QEvent, QThreadPool
from qtpy.QtWidgets import QFileDialog

from napari_mitostain import stain
from napari_mitostain._qt import stain_run
from napari_mitostain._qt.stain_job import stain_job
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain._qt.stain_run import contrast_of, make_plan
from napari_mitostain._qt.view_state import WorldPoint
from napari_mitostain.config import StainSettings
from napari_mitostain.errors import FileError
from napari_mitostain.model.device import available_devices
from napari_mitostain.model.loading import load_model

MICROSCOPE = {
    "name": "cells",
    "scale": (0.5, 0.1, 0.1),
    "translate": (3, 20, 30),
    "rotate": 30,
    "shear": [0.0, 0.0, 0.2],
    "units": ("um", "um", "um"),
    "axis_labels": ("z", "y", "x"),
    "affine": np.array([[1, 0, 0, 5], [0, 1, 0.1, 0], [0, 0, 1, 7], [0, 0, 0, 1.0]]),
}


def test_stains_a_stack(viewer, widget, small_model, cells, press):
    viewer.add_image(cells, **MICROSCOPE)
    press(widget)
    result = viewer.layers[1]
    expected = stain(cells, small_model)
    assert expected.std() > 0
    np.testing.assert_allclose(result.data, expected, atol=1e-6)
    assert (result.name, result.blending, result.data.dtype) == ("cells stain", "additive", np.float32)


def test_result_lies_on_its_source(viewer, widget, cells, press):
    viewer.add_image(cells, **MICROSCOPE)
    press(widget)
    source, result = viewer.layers
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(result, name), getattr(source, name), atol=1e-12, err_msg=name)
    np.testing.assert_allclose(result.affine.affine_matrix, source.affine.affine_matrix)
    assert (result.units, result.axis_labels) == (source.units, source.axis_labels)
    for corner in ([0, 0, 0], [4, 69, 60], [2, 30, 10]):
        np.testing.assert_allclose(result.data_to_world(corner), source.data_to_world(corner))


def test_result_says_where_it_comes_from(viewer, widget, small_model, cells, press):
    viewer.add_image(cells, name="cells")
    press(widget)
    told = viewer.layers["cells stain"].metadata["mitostain"]
    assert told["digitally_predicted"] is True
    assert (told["model"], told["model_sha256"], told["source"]) == ("small", small_model.sha256, "cells")
    assert told["settings"] == StainSettings().to_dict()
    assert told["computed"]["device"] == available_devices()[0]
    assert "predicted from brightfield by model small" in told["description"]


def test_current_plane_only(viewer, widget, small_model, cells, press):
    viewer.add_image(cells, **MICROSCOPE | {"rotate": 0, "shear": None, "affine": None})
    viewer.dims.set_point(0, 3 + 0.5 * 2)
    edit(widget, planes="view")
    press(widget)
    source, result = viewer.layers
    assert result.data.shape == (1, 70, 61)
    np.testing.assert_allclose(result.data[0], stain(cells[2], small_model), atol=1e-6)
    np.testing.assert_allclose(result.data_to_world([0, 0, 0]), source.data_to_world([2, 0, 0]))


def test_chosen_channel_of_a_labelled_axis(viewer, widget, small_model, cells, press):
    image = np.stack([cells[:2], cells[2:4] + 7, cells[3:]], axis=1)  # (Z, C, Y, X)
    layer = viewer.add_image(image, axis_labels=("z", "channel", "y", "x"), scale=(1, 2, 0.1, 0.1), rotate=20)
    assert widget.form.value().channel_axis == 1
    edit(widget, channel=2)
    press(widget)
    result = viewer.layers[-1]
    assert result.data.shape == (2, 1, 70, 61)
    np.testing.assert_allclose(result.data[:, 0], stain(cells[3:], small_model), atol=1e-6)
    np.testing.assert_allclose(result.data_to_world([1, 0, 3, 4]), layer.data_to_world([1, 2, 3, 4]))


def test_channel_axis_is_the_users_choice(viewer, widget, small_model, cells, press):
    viewer.add_image(cells)
    assert widget.form.value().channel_axis is None
    edit(widget, channel_axis=0, channel=3)
    press(widget)
    np.testing.assert_allclose(viewer.layers[-1].data[0], stain(cells[3], small_model), atol=1e-6)


def test_lazy_multiscale_layer_is_stained_at_its_finest(viewer, widget, small_model, cells, press):
    levels = [da.from_array(cells, chunks=(1, 70, 61)), da.from_array(cells[:, ::2, ::2], chunks=(1, 35, 31))]
    viewer.add_image(levels, multiscale=True)
    press(widget)
    np.testing.assert_allclose(viewer.layers[-1].data, stain(cells, small_model), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "dtype", "rgb", "words"),
    [
        ((20, 20, 3), np.uint8, True, "RGB"),
        ((20, 20), bool, False, "bool"),
        ((2, 2, 2, 8, 8), np.uint8, False, "choose the channel axis"),
        ((2, 2, 2, 2, 8, 8), np.uint8, False, "take the part to stain out"),
    ],
)
def test_layer_that_cannot_be_stained_is_refused_at_once(viewer, widget, cells, shape, dtype, rgb, words, press):
    viewer.add_image(cells, name="cells")
    press(widget)
    assert widget.words.text().startswith("Done")
    layer = viewer.add_image(np.zeros(shape, dtype), rgb=rgb, name="other")
    edit(widget, layer=layer)
    assert words in widget.words.text()
    assert widget.words.text().startswith("Expected")
    assert [widget.words.isHidden(), widget.button.isEnabled()] == [False, False]
    edit(widget, layer=viewer.layers["cells"], channel_axis=None)
    assert [widget.words.isHidden(), widget.button.isEnabled()] == [True, True]


def test_channel_axis_makes_a_stack_of_five_axes_stainable(viewer, widget):
    viewer.add_image(np.zeros((2, 2, 2, 8, 8), np.uint8))
    assert not widget.button.isEnabled()
    edit(widget, channel_axis=1)
    assert [widget.words.text(), widget.button.isEnabled()] == ["", True]


def test_new_data_may_make_a_layer_stainable_or_not(viewer, widget, cells):
    layer = viewer.add_image(cells)
    layer.data = cells > 100
    assert not widget.button.isEnabled()
    layer.data = cells
    assert [widget.words.text(), widget.button.isEnabled()] == ["", True]


def test_data_of_fewer_axes_than_the_channel_axis(viewer, widget, cells):
    layer = viewer.add_image(np.zeros((2, 2, 2, 8, 8), np.uint8))
    edit(widget, channel_axis=2)
    layer.data = cells[0]
    assert [widget.form.value().channel_axis, widget.words.text(), widget.button.isEnabled()] == [None, "", True]


def test_refusal_before_the_job_is_said_in_the_panel_too(viewer, widget, cells, notifications, monkeypatch):
    def full(_: Any) -> None:
        raise FileError("Expected 9 GB of room, got 1 GB; choose the current plane.")

    monkeypatch.setattr(stain_run, "empty_result", full)
    viewer.add_image(cells)
    widget.button.click()
    assert (
        widget.words.text() == notifications[-1].message == "Expected 9 GB of room, got 1 GB; choose the current plane."
    )
    assert [len(viewer.layers), widget.button.text(), widget.button.isEnabled()] == [1, "Stain", True]
    edit(widget, planes="view")
    assert widget.words.text() == ""  # the user does what was said


def test_what_was_said_goes_with_the_layer(viewer, widget, cells, press):
    viewer.add_image(cells, name="cells")
    press(widget)
    assert widget.words.text().startswith("Done")
    other = viewer.add_image(cells, name="other")
    edit(widget, layer=other)
    assert widget.words.isHidden()


def test_end_of_a_run_is_not_said_of_another_layer(viewer, widget, cells, gate, until):
    viewer.add_image(cells, name="cells")
    other = viewer.add_image(cells, name="other")
    edit(widget, layer=viewer.layers["cells"])
    widget.button.click()
    edit(widget, layer=other)
    assert "left" in widget.words.text()  # of the run that goes on
    gate.open()
    until(lambda: widget.button.text() == "Stain")
    assert [widget.words.text(), widget.words.isHidden()] == ["", True]


def test_nothing_is_said_to_be_kept_once_all_layers_are_gone(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    viewer.layers.clear()
    assert [widget.words.text(), widget.button.isEnabled()] == ["", False]


@pytest.mark.parametrize(
    ("repeat", "names"), [("replace", ["cells", "cells stain"]), ("add", ["cells", "cells stain", "cells stain [1]"])]
)
def test_run_again(viewer, widget, small_model, cells, repeat, names, press):
    source = viewer.add_image(cells, name="cells")
    press(widget)
    viewer.layers[1].colormap = "green"
    source.data = cells[::-1].copy()
    source.scale = (1, 3, 3)
    edit(widget, repeat=repeat)
    press(widget)
    assert [layer.name for layer in viewer.layers] == names
    np.testing.assert_allclose(viewer.layers[-1].data, stain(cells[::-1], small_model), atol=1e-6)
    np.testing.assert_allclose(viewer.layers[-1].scale, (1, 3, 3))
    assert viewer.layers[1].colormap.name == "green"  # the user's own look stays


def test_a_plane_does_not_replace_the_stain_of_a_whole_stack(viewer, widget, cells, press):
    viewer.add_image(cells)
    press(widget)
    whole = viewer.layers[-1].data.copy()
    edit(widget, planes="view")
    press(widget)
    press(widget)  # it does replace that of a plane
    assert [layer.data.shape for layer in viewer.layers] == [cells.shape, cells.shape, (1, *cells.shape[1:])]
    np.testing.assert_array_equal(viewer.layers[1].data, whole)


def test_replacing_puts_the_whole_stack_where_a_plane_was(viewer, widget, small_model, cells, press):
    source = viewer.add_image(cells, scale=(2, 1, 1))
    viewer.dims.set_point(0, 6)
    edit(widget, planes="view")
    press(widget)
    edit(widget, planes="stack")
    press(widget)
    assert len(viewer.layers) == 2
    assert viewer.layers[1].data.shape == cells.shape
    np.testing.assert_allclose(viewer.layers[1].translate, source.translate)


def test_plane_in_view_comes_first(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    viewer.dims.set_point(0, 3)
    widget.button.click()
    gate.let(2)  # the tile and the plane
    until(lambda: len(viewer.layers) == 2 and bool(viewer.layers[1].data.any()))
    filled = viewer.layers[1].data.any(axis=(1, 2))
    assert filled.tolist() == [False, False, False, True, False]
    assert [plane[0] for plane in widget._run.plan.planes] == [3, 2, 4, 1, 0]


def test_layer_is_there_and_progress_shown_before_the_first_tile(viewer, widget, cells, gate, until):
    viewer.add_image(cells, name="cells")
    bars = len(progress._all_instances)
    widget.button.click()
    assert viewer.layers["cells stain"].data.shape == cells.shape
    assert [widget.button.text(), widget.bar.isHidden(), len(progress._all_instances) - bars] == ["Cancel", False, 1]
    gate.let(4)
    until(lambda: widget.bar.value() == 400)
    assert "left" in widget.words.text()


def test_stain_is_not_offered_as_brightfield_while_it_is_made(viewer, widget, cells, gate):
    source = viewer.add_image(cells, name="cells")
    widget.button.click()
    assert widget.form._layer.choices == (source,)
    viewer.layers.remove(source)
    assert widget.form.value().layer is None
    widget.button.click()
    assert not widget.button.isEnabled()


def test_cancel_keeps_what_is_done(viewer, widget, cells, gate, until, qtbot):
    viewer.add_image(cells)
    bars = len(progress._all_instances)
    widget.button.click()
    gate.let(4)
    until(lambda: widget.bar.value() == 400)
    widget.button.click()
    assert [widget.button.text(), widget.bar.isHidden(), len(progress._all_instances) - bars] == ["Stain", True, 0]
    gate.let(1)  # the tile it is in
    assert gate.closed.wait(60)
    qtbot.wait(100)
    filled = viewer.layers[1].data.any(axis=(1, 2))  # in the order 2, 1, 3, 0, 4; of 3 it was just doing a tile
    assert filled[[1, 2, 0, 4]].tolist() == [True, True, False, False]
    assert "Cancelled; the stain is kept" in widget.words.text()


def test_cancel_in_the_activity_dock(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    widget.button.click()
    next(iter(progress._all_instances)).cancel()
    until(lambda: widget.button.text() == "Stain")


def test_cancel_before_the_first_tile_leaves_no_empty_layer(viewer, widget, cells, gate):
    viewer.add_image(cells)
    widget.button.click()
    widget.button.click()
    assert len(viewer.layers) == 1
    assert "nothing" in widget.words.text()


@pytest.mark.parametrize("planes", [0, 2])
@pytest.mark.parametrize("end", ["cancel", "error"])
def test_unfinished_replacement_gives_the_old_stain_back(
    viewer, widget, cells, gate, press, until, notifications, planes, end
):
    gate.open()
    viewer.add_image(cells)
    press(widget)
    result = viewer.layers[1]
    result.metadata = {**result.metadata, "mine": 1}
    before, told = result.data.copy(), dict(result.metadata)
    gate._steps = type(gate._steps)(0)
    widget.button.click()
    assert not result.data.any()
    if planes:
        gate.let(2 * planes)  # a tile and a plane each
    until(lambda: widget.bar.value() == 200 * planes)
    if end == "cancel":
        widget.button.click()
        assert widget.words.text() == "Cancelled; the earlier stain is back."
    else:
        gate.error = RuntimeError("gone")
        gate.open()
        until(lambda: widget.button.text() == "Stain")
        assert widget.words.text() == "Stopped by an error, and the earlier stain is back: gone"
        assert notifications[-1].message == "RuntimeError: gone"
    np.testing.assert_array_equal(result.data, before)
    assert result.metadata == told


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: device lost"), ValueError("odd"), MemoryError("no")])
def test_error_reaches_the_user(viewer, widget, cells, gate, notifications, error, until):
    viewer.add_image(cells)
    bars = len(progress._all_instances)
    gate.error = error
    widget.button.click()
    gate.open()
    until(lambda: widget.button.text() == "Stain")
    assert notifications[-1].message == f"{type(error).__name__}: {error}"
    assert str(error) in widget.words.text()
    assert [len(viewer.layers), len(progress._all_instances)] == [1, bars]


def test_error_half_way_keeps_what_is_done(viewer, widget, cells, gate, notifications, until):
    viewer.add_image(cells)
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    gate.error = RuntimeError("gone")
    gate.open()
    until(lambda: widget.button.text() == "Stain")
    assert viewer.layers[1].data.any(axis=(1, 2)).tolist() == [False, False, True, False, False]


def test_contrast_is_fitted_to_the_first_plane_whose_stain_is_not_empty(viewer, widget, small_model, cells, press):
    cells[2] = 7
    viewer.add_image(cells, name="cells")  # plane 2 is in view, and stained first
    press(widget)
    assert viewer.layers["cells stain"].contrast_limits == list(contrast_of(stain(cells[1], small_model)))


def test_constant_image_is_refused_in_a_sentence(viewer, widget, notifications, press):
    viewer.add_image(np.full((2, 40, 40), 9, np.uint8), name="flat")
    press(widget)
    assert notifications[-1].message.startswith("Expected brightfield with contrast in flat")
    assert len(viewer.layers) == 1


def test_out_of_memory_is_told_and_survived(viewer, widget, small_model, cells, notifications, monkeypatch, press):
    from napari_mitostain.model.predictor import Predictor

    predict = Predictor.stained

    def fails_on_large_windows(self, window):
        if window.shape[-1] > 60:
            raise RuntimeError("CUDA out of memory")
        return predict(self, window)

    monkeypatch.setattr(Predictor, "stained", fails_on_large_windows)
    viewer.add_image(cells)
    edit(widget, settings=StainSettings(tile=64))
    press(widget)
    assert "Not enough memory" in notifications[0].message
    np.testing.assert_allclose(viewer.layers[1].data, stain(cells, small_model, StainSettings(tile=16)), atol=1e-4)


def test_result_deleted_in_mid_run(viewer, widget, cells, gate, until):
    viewer.add_image(cells, name="cells")
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    viewer.layers.remove("cells stain")
    assert widget.button.text() == "Stain"
    assert "nothing" in widget.words.text()
    gate.let(1)
    assert gate.closed.wait(60)
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_source_renamed_and_deleted_in_mid_run(viewer, widget, small_model, cells, gate, until):
    source = viewer.add_image(cells, name="cells")
    widget.button.click()
    gate.let(2)
    source.name = "other"
    viewer.layers["cells stain"].name = "mine"
    viewer.layers.remove(source)
    gate.open()
    until(lambda: widget.button.text() == "Stain")
    assert [layer.name for layer in viewer.layers] == ["mine"]
    np.testing.assert_allclose(viewer.layers["mine"].data, stain(cells, small_model), atol=1e-6)
    assert not widget.button.isEnabled()  # nothing left to stain


def test_viewer_closed_in_mid_run(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    viewer.close()
    gate.let(1)
    assert gate.closed.wait(60)


def test_window_closed_in_mid_run(viewer, widget, cells, gate, until):
    """The window's own cross does not empty the layer list; napari then asks the running tasks to stop."""
    viewer.add_image(cells, name="cells")
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    assert viewer.window._task_status_manager.get_status() == ["napari-worker: Executing Staining cells"]
    viewer.window._qt_window.close()
    gate.let(1)
    assert gate.closed.wait(60)
    viewer.close()  # before Qt deletes the window, which the fixture would close once more


def test_dock_widget_closed_in_mid_run(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    viewer.window.remove_dock_widget(widget)
    gate.let(1)
    assert gate.closed.wait(60)
    assert viewer.layers[1].data.any()


def test_destroyed_widget_goes_at_once_and_its_thread_ends_by_itself(viewer, widget, cells, gate, until):
    viewer.add_image(cells)
    widget.button.click()
    gate.let(2)
    until(lambda: widget.bar.value() == 200)
    viewer.window.remove_dock_widget(widget)
    release = threading.Timer(4, gate.open)  # if the main thread waits for the job, which waits at the gate
    release.start()
    gone: list[bool] = []
    widget.destroyed.connect(lambda: gone.append(True))
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    assert [gone, gate.closed.is_set()] == [[True], False]
    release.cancel()
    gate.let(1)  # the tile it is in
    assert gate.closed.wait(60)
    until(lambda: not WorkerBase._worker_set and QThreadPool.globalInstance().activeThreadCount() == 0)


def test_two_widgets_run_side_by_side(viewer, widget, small_model, cells, until, press):
    from napari_mitostain._qt.stain_widget import StainWidget

    viewer.add_image(cells, name="cells")
    second = StainWidget(viewer)
    viewer.window.add_dock_widget(second, name="second")
    edit(second, repeat="add")
    widget.button.click()
    press(second)
    until(lambda: widget.button.text() == "Stain")
    for layer in viewer.layers[1:]:
        np.testing.assert_allclose(layer.data, stain(cells, small_model), atol=1e-6)
    assert len(viewer.layers) == 3


def test_cancelled_run_leaves_the_layer_to_the_second_widget(viewer, widget, small_model, cells, gate, until):
    from napari_mitostain._qt.stain_widget import StainWidget

    viewer.add_image(cells, name="cells")
    second = StainWidget(viewer)
    viewer.window.add_dock_widget(second, name="second")
    widget.button.click()
    second.button.click()
    widget.button.click()  # cancelled, without a tile
    gate.open()
    until(lambda: second.button.text() == "Stain")
    assert [layer.name for layer in viewer.layers] == ["cells", "cells stain"]
    np.testing.assert_allclose(viewer.layers[1].data, stain(cells, small_model), atol=1e-6)
    assert viewer.layers[1].metadata["mitostain"]["model"] == "small"


def test_model_from_a_file(viewer, widget, cells, own_model, monkeypatch, press):
    viewer.add_image(cells, name="cells")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (own_model, ""))
    widget.form._model._button.click()
    assert "Of my own." in widget.card.toPlainText()
    press(widget)
    assert viewer.layers["cells stain"].metadata["mitostain"]["model"] == "heart"
    np.testing.assert_allclose(viewer.layers[1].data, stain(cells, load_model(own_model)), atol=1e-6)


def test_devices_are_those_of_this_machine_once_a_job_has_loaded_torch(viewer, widget, cells, press):
    viewer.add_image(cells)
    names = widget.form._device.native
    assert names.itemText(0) == "auto"
    press(widget)
    assert names.itemText(0) == f"auto ({available_devices()[0]})"
    assert widget.form._device.choices == ("auto", *available_devices())


@pytest.mark.parametrize("planes", [3, 4])
def test_last_axis_of_three_or_four_is_no_colour(viewer, widget, small_model, planes, press):
    image = np.random.default_rng(2).integers(50, 200, (64, 64, planes), dtype=np.uint8)
    viewer.add_image(image, rgb=False, axis_labels=("y", "x", "z"))
    press(widget)
    expected = stain(np.moveaxis(image, -1, 0), small_model)
    np.testing.assert_allclose(viewer.layers[1].data, np.moveaxis(expected, 0, -1), atol=1e-6)


def test_plane_beside_a_stack_whose_axes_are_rolled(viewer, widget, small_model, cells, notifications, press):
    viewer.add_image(cells, name="stack")
    plane = viewer.add_image(cells[0], name="plane")
    viewer.dims.order = (2, 0, 1)
    edit(widget, layer=plane)
    press(widget)
    assert not notifications
    np.testing.assert_allclose(viewer.layers["plane stain"].data, stain(cells[0], small_model), atol=1e-6)


def test_torch_gets_its_core_back(viewer, cells, small_model, monkeypatch):
    cores, before = {0, 1, 2, 3}, torch.get_num_threads()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    torch.set_num_threads(len(cores))
    try:
        layer = viewer.add_image(cells)
        events = stain_job(make_plan(layer, StainRequest(layer, model="small"), WorldPoint.of(viewer)))
        next(events)
        assert torch.get_num_threads() == len(cores) - 1
        events.close()
        assert torch.get_num_threads() == len(cores)
    finally:
        torch.set_num_threads(before)


def test_resampling_does_not_follow_to_a_layer_without_the_offer(viewer, widget, small_model, cells, press):
    viewer.add_image(cells, scale=(1, 0.2, 0.2), units="um", name="coarse")
    widget.form._resample.native.click()
    fine = viewer.add_image(cells, scale=(1, 0.102, 0.102), units="um", name="fine")
    edit(widget, layer=fine)
    press(widget)
    np.testing.assert_allclose(viewer.layers["fine stain"].data, stain(cells, small_model), atol=1e-6)


def test_other_pixel_size_is_warned_of_and_resampled_on_a_click(viewer, widget, small_model, cells, press):
    viewer.add_image(cells, scale=(1, 0.2, 0.2), units="um", name="coarse")
    assert "0.2 µm" in widget.form._pixels.text()
    assert not widget.form._resample.native.isHidden()
    widget.form._resample.native.click()
    assert "resampled" in widget.form._pixels.text()
    assert "poor" not in widget.form._pixels.text()
    press(widget)
    from napari_mitostain.image import Stack

    stack = Stack(cells, "ZYX", {"Y": 0.2, "X": 0.2})
    expected = stain(stack, small_model, StainSettings(resample=True))
    np.testing.assert_allclose(viewer.layers[1].data, expected, atol=1e-6)
    assert not np.allclose(expected, stain(cells, small_model), atol=1e-2)


def test_fitting_and_unknown_pixel_sizes(viewer, widget, cells):
    layer = viewer.add_image(cells, scale=(1, 0.102, 0.102), units=("um", "um", "um"))
    assert widget.form._pixels.isHidden()
    layer.units = ("pixel", "pixel", "pixel")
    assert "unknown" in widget.form._pixels.text()
    assert widget.form._resample.native.isHidden()


def test_tick_to_resample_holds_again_where_it_is_offered_again(viewer, widget, cells):
    coarse = viewer.add_image(cells, scale=(1, 0.2, 0.2), units="um", name="coarse")
    widget.form._resample.native.click()
    fine = viewer.add_image(cells, scale=(1, 0.102, 0.102), units="um", name="fine")
    widget.form._layer.value = fine
    widget.form._layer.value = coarse
    assert "resampled" in widget.form._pixels.text()


def test_dock_stays_wide_enough_for_the_scores(widget):
    assert widget.minimumWidth() >= 280


def test_card_is_shown(widget):
    text = widget.card.toPlainText()
    assert "A small one." in text
    assert "Not <b>measured</b>." in text  # as written, not as markup
    assert "0.1 µm" in text


def edit(widget: Any, **changes: Any) -> None:
    widget.form.setValue(replace(widget.form.value(), **changes))
