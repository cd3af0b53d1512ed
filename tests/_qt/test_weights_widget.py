"""The dock widget "TN weight map" in a real viewer, opened through the manifest."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.qt.threading import WorkerBase
from napari.utils.progress import progress
from napari.utils.theme import get_theme
from qtpy.QtCore import QCoreApplication, QEvent, Qt, QThreadPool
from qtpy.QtWidgets import QFileDialog, QScrollArea

from napari_mitostain._qt import weights_job, weights_overlay
from napari_mitostain._qt.view_state import camera_of
from napari_mitostain.config import WeightSettings
from napari_mitostain.model.losses import batch_weights
from napari_mitostain.weighing import read_weighting, write_weighting
from napari_mitostain.weighting import statistics, tn_weights

ODD = WeightSettings(a=(0.1, 0.25, 0.3), b=(0.0, 0.5, 0.6), sigmas=(0.5, 2.0))


@pytest.fixture
def open_widget(viewer: Any, until: Any) -> Callable[[], Any]:
    """Open the dock widget, and wait until it shows what it has to."""

    def open_widget() -> Any:
        widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")[1]
        until(lambda: not widget.is_busy)
        return widget

    return open_widget


@pytest.fixture
def source(viewer: Any, fluorescence: np.ndarray) -> Any:
    return viewer.add_image(fluorescence, name="cells", scale=(1, 0.1, 0.1), units="um")


@pytest.fixture
def widget(source: Any, open_widget: Any) -> Any:
    """The widget on a stack, which shows its plane 2 (the one in view)."""
    return open_widget()


@pytest.fixture
def done(widget: Any, until: Any) -> Callable[[], None]:
    return lambda: until(lambda: not widget.is_busy)


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def plane_in_view(viewer: Any) -> int:
    return int(viewer.dims.point[0])


def test_it_shows_the_active_layer_at_once(viewer, fluorescence, open_widget):
    first = viewer.add_image(fluorescence[0], name="first")
    viewer.add_image(fluorescence[1], name="second")
    viewer.layers.selection.active = first
    widget = open_widget()
    assert widget.layer.value is first
    np.testing.assert_array_equal(viewer.layers["first TN weights"].data, tn_weights(fluorescence[0]))


def test_words_and_plot_are_of_the_plane_in_view(viewer, widget, fluorescence, done):
    for plane in (1, 3):
        viewer.dims.set_point(0, plane)
        done()
        measured = statistics(fluorescence[plane])
        assert f"µ {measured.mean:.4g}, σ {measured.std:.4g}" in widget.words.text()
        first, second = measured.mean + measured.std, measured.mean + 3 * measured.std
        assert widget.plot.thresholds() == (first, second)
        background = (fluorescence[plane] <= first).mean()
        assert f"Background: {background:.0%} of the pixels" in widget.words.text()


def test_settings_of_the_form_are_those_of_map_plot_and_loss(viewer, widget, fluorescence, done):
    widget.form.setValue(ODD)
    done()
    target = torch.from_numpy(fluorescence[plane_in_view(viewer)].astype(np.float32))[None, None]
    layer = viewer.layers["cells TN weights"]
    np.testing.assert_array_equal(layer.data, batch_weights(target, ODD)[0].numpy())
    assert WeightSettings.from_dict(layer.metadata["mitostain"]["settings"]) == ODD
    measured = statistics(fluorescence[plane_in_view(viewer)])
    assert widget.plot.thresholds() == (measured.mean + 0.5 * measured.std, measured.mean + 2 * measured.std)


def test_dragged_threshold_moves_slider_and_map(viewer, widget, fluorescence, done):
    plane = fluorescence[plane_in_view(viewer)]
    measured = statistics(plane)
    line = widget.plot._thresholds[1]
    line.setValue(measured.mean + 2.25 * measured.std)
    line.sigDragged.emit(line)
    done()
    assert widget.form.value() == WeightSettings(sigmas=(1.0, 2.25))
    np.testing.assert_array_equal(
        viewer.layers["cells TN weights"].data[0], tn_weights(plane, WeightSettings(sigmas=(1.0, 2.25)))
    )


def test_threshold_dragged_past_the_other_is_put_back_in_order(viewer, widget, done):
    line, other = widget.plot._thresholds
    line.setValue(other.value() * 2)
    line.sigDragged.emit(line)
    done()
    first, second = widget.plot.thresholds()
    assert first < second
    assert widget.form.value().sigmas == pytest.approx((2.95, 3.0))  # the gap between them is 0.05


def test_patch_size_is_asked_for_where_there_are_patches(viewer, widget, fluorescence, done):
    assert widget.patch.isHidden()
    widget.form.setValue(WeightSettings(scope="patch"))
    assert not widget.patch.isHidden()
    widget.patch.setValue(32)
    done()
    box = slice(32, 60), slice(64, 71)
    plane = fluorescence[plane_in_view(viewer)]
    np.testing.assert_array_equal(viewer.layers["cells TN weights"].data[0][box], tn_weights(plane[box]))


def test_boxes_show_and_hide_the_layers(viewer, widget, done):
    for kind, name in (("weights", "cells TN weights"), ("contours", "cells TN contours")):
        widget.shown[kind].click()
        done()
        assert name not in names(viewer)
        widget.shown[kind].click()
        done()
        assert name in names(viewer)


def test_box_follows_when_its_layer_is_deleted(viewer, widget, done, until):
    viewer.layers.remove("cells TN contours")
    until(lambda: not widget.shown["contours"].isChecked())
    viewer.dims.set_point(0, 0)
    done()
    assert names(viewer) == ["cells", "cells TN weights"]
    assert widget.shown["weights"].isChecked()


def test_boxes_stay_checked_when_all_is_deleted(viewer, widget, fluorescence, done, qtbot):
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    qtbot.wait(50)
    assert names(viewer) == []
    assert all(box.isChecked() for box in widget.shown.values())
    viewer.add_image(fluorescence, name="next")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)


def test_another_layer_is_chosen(viewer, widget, fluorescence, done):
    other = viewer.add_image(fluorescence[1] * 2, name="other")
    widget.layer.value = other
    done()
    assert names(viewer) == ["cells", "other", "other TN weights", "other TN contours"]
    np.testing.assert_array_equal(viewer.layers["other TN weights"].data, tn_weights(fluorescence[1] * 2))


def test_renamed_layer_stays_chosen_with_the_layers_made_of_it(viewer, source, fluorescence, open_widget, qtbot):
    viewer.add_image(fluorescence[0], name="other")
    viewer.layers.move(1, 0)  # the first of the choices
    viewer.layers.selection.active = source
    widget = open_widget()
    before = list(viewer.layers)
    source.name = "renamed"
    qtbot.wait(50)  # for what would follow
    assert not widget.is_busy
    assert widget.layer.value is source
    assert widget.layer.current_choice == "renamed"
    assert list(viewer.layers) == before


def test_deleted_layer_gives_way_to_another(viewer, widget, source, fluorescence, done, until):
    viewer.add_image(fluorescence[0], name="other")
    viewer.layers.remove(source)
    until(lambda: "other TN contours" in names(viewer))
    assert names(viewer) == ["other", "other TN weights", "other TN contours"]


def test_rgb_is_refused_in_words(viewer, widget, done):
    colour = viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True, name="colour")
    widget.layer.value = colour
    done()
    assert widget.words.text().startswith("Expected a grayscale image in colour, got colour samples (RGB);")
    assert names(viewer) == ["cells", "colour"]


def test_without_an_image_it_waits_for_one(viewer, open_widget, fluorescence, until):
    widget = open_widget()
    assert widget.layer.value is None
    widget.form.setValue(ODD)
    viewer.add_image(fluorescence[0], name="late")
    until(lambda: "late TN weights" in names(viewer))
    np.testing.assert_array_equal(viewer.layers["late TN weights"].data, tn_weights(fluorescence[0], ODD))


def test_results_are_not_offered_as_targets(viewer, widget, fluorescence):
    viewer.add_image(fluorescence[0], metadata={"mitostain": {"result": "stain"}})
    assert [layer.name for layer in widget.layer.choices] == ["cells"]


def test_coefficients_are_saved_for_the_command_line(viewer, widget, tmp_path, monkeypatch, notifications):
    target = tmp_path / "weighting.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), "JSON (*.json)"))
    chosen = replace(ODD, scope="stack")
    widget.form.setValue(chosen)
    widget.form.save.click()
    assert read_weighting(target) == chosen
    assert str(target) in notifications[-1].message


def test_saved_coefficients_are_loaded(viewer, widget, tmp_path, monkeypatch, notifications):
    target = tmp_path / "weighting.json"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), "JSON (*.json)"))
    write_weighting(target, ODD)
    widget.form.load.click()
    assert widget.form.value() == ODD
    target.write_text("[]")
    widget.form.load.click()
    assert widget.form.value() == ODD
    assert "save them again" in notifications[-1].message


@pytest.mark.parametrize("name", ["", "missing/weighting.json"])
def test_saving_to_nowhere(widget, tmp_path, monkeypatch, notifications, name):
    chosen = str(tmp_path / name) if name else ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen, ""))
    (tmp_path / "missing").write_text("in the way of a folder")
    widget.form.save.click()
    assert [Path(path).name for path in tmp_path.iterdir()] == ["missing"]
    assert len(notifications) == (1 if name else 0)


def test_it_fits_a_dock_of_330_pixels(viewer, widget, qtbot):
    widget.form.setValue(WeightSettings(a=(0.2, 0.7, -0.4), scope="patch"))  # with all its rows and warnings
    scroll = widget.findChild(QScrollArea)
    assert scroll.widget().minimumSizeHint().width() <= 330 - scroll.verticalScrollBar().sizeHint().width()


def test_scroll_bar_of_a_narrow_dock_cuts_nothing_off(viewer, widget, until):
    window = viewer.window._qt_window
    window.resize(900, 500)
    window.show()
    window.resizeDocks([widget.parent()], [50], Qt.Orientation.Horizontal)
    scroll = widget.findChild(QScrollArea)
    until(lambda: scroll.verticalScrollBar().isVisible())
    QCoreApplication.processEvents()
    assert scroll.viewport().width() >= scroll.widget().minimumSizeHint().width()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axes_are_in_the_colour_of_the_themes_text(viewer, widget, theme):
    viewer.window._qt_window.show()
    viewer.theme = theme
    QCoreApplication.processEvents()
    colour = get_theme(theme).text.as_rgb_tuple()
    for side in ("bottom", "left", "right"):
        axis = widget.plot.getAxis(side)
        assert axis.textPen().color().getRgb()[:3] == colour
        assert axis.pen().color().getRgb()[:3] == colour
    assert widget.plot._marks["µ"].pen.color().getRgb()[:3] == colour


@pytest.fixture
def looking(viewer: Any, widget: Any, hold: Any, monkeypatch: Any) -> Any:
    """The widget while a look is held up."""
    monkeypatch.setattr(weights_overlay, "look", hold.hold(weights_overlay.look))
    viewer.dims.set_point(0, 0)
    hold.wait()
    return widget


def test_dock_closed_in_mid_computation(viewer, looking, hold, until, qtbot):
    viewer.window.remove_dock_widget(looking)
    assert names(viewer) == ["cells"]
    hold.let()
    viewer.dims.set_point(0, 1)  # nobody listens
    viewer.add_image(np.zeros((9, 9)), name="late")
    qtbot.wait(50)
    assert names(viewer) == ["cells", "late"]
    assert not looking.is_busy


def test_dock_closed_while_the_stack_is_measured(viewer, source, widget, hold, monkeypatch, until, qtbot):
    measure = weights_job.measure_stack

    def slowly(*arguments: Any) -> Any:
        for event in measure(*arguments):
            yield hold.hold(lambda event=event: event)()

    monkeypatch.setattr(weights_job, "measure_stack", slowly)
    widget.form.setValue(WeightSettings(scope="stack"))
    hold.wait()
    viewer.window.remove_dock_widget(widget)
    hold.let()
    qtbot.wait(50)
    assert names(viewer) == ["cells"]
    assert len(hold.asked) == 1  # the planes that were not yet read stayed so


@pytest.mark.parametrize("scope", ["plane", "patch"])
@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_form_says_what_the_map_shows_when_the_stack_is_not_measured(
    viewer, source, widget, done, monkeypatch, notifications, until, scope, end
):
    gate = threading.Event()

    def held(*_: Any) -> Any:
        assert gate.wait(60)
        raise OSError("the disk is gone")
        yield

    monkeypatch.setattr(weights_job, "measure_stack", held)
    widget.form.setValue(WeightSettings(scope=scope))
    done()
    widget.form.setValue(replace(ODD, scope="stack"))
    if end == "cancelled":
        next(iter(progress._all_instances)).cancel()
        until(lambda: not widget._overlay._whole.is_busy)
    gate.set()
    done()
    assert widget.form.value() == replace(ODD, scope=scope)
    assert viewer.layers["cells TN weights"].metadata["mitostain"]["settings"]["scope"] == scope
    assert notifications[-1].message.startswith("The whole stack was not measured")
    viewer.dims.set_point(0, 0)
    assert not widget._overlay._whole.is_busy


def test_dock_closed_by_its_own_button(viewer, source, until):
    dock, _widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    until(lambda: len(viewer.layers) == 3)
    dock.title.close_button.click()
    until(lambda: names(viewer) == ["cells"])


@pytest.mark.parametrize("close", ["button", "at once"])
def test_closed_dock_follows_no_layer(viewer, fluorescence, until, close):
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    if close == "button":
        dock.title.close_button.click()
    viewer.add_image(fluorescence, name="late")
    if close == "at once":  # before what was put off until napari is done
        viewer.window.remove_dock_widget(widget)
    QCoreApplication.processEvents()
    assert not widget.is_busy
    assert names(viewer) == ["late"]


def test_closed_widget_is_let_go(viewer, source, until):
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    until(lambda: len(viewer.layers) == 3)
    viewer.window.remove_dock_widget(widget)
    kept = weakref.ref(widget)
    del dock, widget
    until(lambda: not WorkerBase._worker_set)
    QCoreApplication.processEvents()
    gc.collect()  # which takes a widget apart in an order of its own
    assert kept() is None


def test_hidden_dock_keeps_its_layers(viewer, source, until):
    dock, _widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    until(lambda: len(viewer.layers) == 3)
    dock.hide()
    dock.show()
    dock.setFloating(True)
    dock.setFloating(False)
    assert len(viewer.layers) == 3


def test_destroyed_in_mid_computation(viewer, looking, hold, qtbot):
    viewer.window.remove_dock_widget(looking)
    looking.deleteLater()
    QCoreApplication.sendPostedEvents(looking, QEvent.Type.DeferredDelete)
    hold.let()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)
    viewer.dims.set_point(0, 1)
    viewer.layers["cells"].data = viewer.layers["cells"].data[:2]
    qtbot.wait(50)
    assert names(viewer) == ["cells"]


def test_viewer_closed_in_mid_computation(viewer, looking, hold, qtbot):
    viewer.close()
    hold.let()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)


def test_two_widgets_do_not_touch_each_others_layers(viewer, widget, fluorescence, until):
    from napari_mitostain._qt.weights_widget import WeightsWidget

    other = viewer.add_image(fluorescence[0], name="other")
    second = WeightsWidget(viewer)
    viewer.window.add_dock_widget(second, name="second")
    second.layer.value = other
    until(lambda: not second.is_busy and not widget.is_busy)
    assert len(viewer.layers) == 6
    viewer.window.remove_dock_widget(second)
    assert names(viewer) == ["cells", "cells TN weights", "cells TN contours", "other"]


def test_nothing_is_told_where_there_is_no_image(viewer, widget, source, until):
    assert not widget.plot.isHidden()
    viewer.layers.remove(source)
    until(lambda: widget.plot.isHidden())
    assert widget.words.text() == ""


def test_plane_without_a_finite_pixel_has_no_histogram(viewer, widget, source, done):
    source.data = np.full((4, 8, 8), np.nan, np.float32)
    done()
    assert widget.plot.isHidden()
    assert "No pixel" in widget.words.text()


def test_data_that_are_refused_leave_no_numbers_of_the_former(viewer, widget, source, fluorescence, done):
    before = widget.words.text()
    source.data = fluorescence > 100
    done()
    assert "bool" in widget.words.text()
    assert widget.plot.isHidden()
    assert not widget.loss.button.isEnabled()
    assert names(viewer) == ["cells"]
    source.data = fluorescence
    done()
    assert (widget.words.text(), widget.plot.isHidden()) == (before, False)
    assert names(viewer) == ["cells", "cells TN weights", "cells TN contours"]


def test_reported_patch_is_named(viewer, widget, done):
    widget.patch.setValue(16)
    widget.form.setValue(WeightSettings(scope="patch"))
    done()
    assert widget.words.text().startswith("Patch in row ")
    camera_of(viewer).center = (0, -500.0, 500.0)  # the image is off the canvas
    done()
    assert widget.words.text().startswith("Patch in row 1, column 5:")  # of 71 px
