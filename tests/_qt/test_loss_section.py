"""The loss of a stain, shown from the dock widget in a real viewer."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from napari_mitostain._qt import loss_layers, plane_look
from napari_mitostain._qt.view_state import Takeover, camera_of
from napari_mitostain.config import WeightSettings
from napari_mitostain.image import IntensityRange
from napari_mitostain.weighting import view_loss, view_plane

STAIN = {"mitostain": {"result": "stain"}}


@pytest.fixture
def target(viewer: Any, fluorescence: np.ndarray) -> Any:
    return viewer.add_image(fluorescence, name="target", scale=(1, 0.1, 0.2), units="um", axis_labels=("z", "y", "x"))


@pytest.fixture
def stain(viewer: Any, target: Any, fluorescence: np.ndarray) -> Any:
    """A stain of the same place."""
    data = np.random.default_rng(3).random(fluorescence.shape, np.float32)
    layer = viewer.add_image(data, name="stain", scale=target.scale, units=target.units, metadata=STAIN)
    viewer.layers.selection.active = target
    return layer


@pytest.fixture
def widget(viewer: Any, target: Any, stain: Any, until: Any) -> Any:
    widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")[1]
    until(lambda: not widget.is_busy)
    return widget


@pytest.fixture
def done(widget: Any, until: Any) -> Any:
    return lambda: until(lambda: not widget.is_busy and not widget.loss._latest.is_busy)


@pytest.fixture
def shown(widget: Any, done: Any) -> Any:
    """The widget, once the loss is shown."""
    widget.loss.button.click()
    done()
    return widget


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def panels(viewer: Any) -> list[Any]:
    """Return the layers A to E."""
    return [layer for letter in "ABCDE" for layer in viewer.layers if layer.name.startswith(f"{letter} ")]


def expected(target: np.ndarray, stain: np.ndarray, settings: WeightSettings = WeightSettings()) -> Any:
    return view_loss(IntensityRange.fit(target).apply(target), stain, view_plane(target, settings))


def parts(seen: Any) -> list[np.ndarray]:
    return [seen.target, seen.stain, seen.error, seen.weights, seen.weighted]


def test_five_layers_of_the_plane_in_view(viewer, shown, target, stain, done):
    for z in (2, 0, 3):
        viewer.dims.set_point(0, z)
        done()
        assert len(panels(viewer)) == 5
        for layer, part in zip(panels(viewer), parts(expected(target.data[z], stain.data[z])), strict=True):
            np.testing.assert_array_equal(layer.data[0], part)
            np.testing.assert_allclose(layer.data_to_world((0, 5, 7)), target.data_to_world((z, 5, 7)))
            assert (layer.units, layer.axis_labels) == (target.units, target.axis_labels)


def test_loss_follows_the_settings(viewer, shown, target, stain, done):
    chosen = WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7))
    shown.form.setValue(chosen)
    done()
    z = int(viewer.dims.point[0])
    np.testing.assert_array_equal(panels(viewer)[4].data[0], expected(target.data[z], stain.data[z], chosen).weighted)


def test_stain_of_8_bit_spans_its_type(viewer, shown, target, stain, done):
    stain.data = np.rint(stain.data * 255).astype(np.uint8)
    shown.loss.button.click()
    done()
    z = int(viewer.dims.point[0])
    np.testing.assert_allclose(panels(viewer)[1].data[0], stain.data[z] / 255, atol=1e-6)  # float32


def test_image_that_is_no_stain_is_refused_in_words(viewer, widget, stain, done, notifications):
    stain.data = stain.data * 300
    widget.loss.button.click()
    done()
    assert "Expected a stain in [0, 1] for stain" in notifications[-1].message
    assert not panels(viewer)


def test_deleted_stain_takes_its_comparison_along(viewer, shown, stain, done):
    viewer.add_image(stain.data, name="another")
    viewer.layers.remove(stain)
    done()
    assert not panels(viewer)
    assert shown.loss.stain.value.name == "another"


def test_before_and_after_weighting_are_in_one_scale(viewer, shown):
    before, after = panels(viewer)[2], panels(viewer)[4]
    assert before.contrast_limits == after.contrast_limits
    assert before.contrast_limits[1] == pytest.approx(before.data.max())


def test_table_and_words_tell_the_shares(viewer, shown, target, stain):
    z = int(viewer.dims.point[0])
    seen = expected(target.data[z], stain.data[z])
    table = shown.loss.table
    told = [[table.item(row, column).text() for column in range(3)] for row in range(3)]
    assert told == [
        [f"{share:.0%}" for share in shares] for shares in zip(seen.pixels, seen.plain, seen.weighed, strict=True)
    ]
    assert f"{seen.weighed[0]:.0%} of the TN loss" in shown.loss.words.text()
    assert not table.isHidden()


def test_stains_come_first_and_neither_target_nor_results_are_offered(viewer, shown, fluorescence):
    viewer.add_image(fluorescence, name="other")
    assert [layer.name for layer in shown.loss.stain.choices] == ["stain", "other"]


def test_without_a_stain_there_is_nothing_to_show(viewer, widget, stain, done):
    viewer.layers.remove(stain)
    assert not widget.loss.button.isEnabled()
    assert widget.loss.stain.value is None


def test_stain_of_another_size_is_refused(viewer, widget, fluorescence, done, notifications):
    widget.loss.stain.value = viewer.add_image(fluorescence[:, :50], name="small")
    widget.loss.button.click()
    done()
    assert notifications[-1].message == (
        "Expected a stain of (60, 71) pixels, got (50, 71) in small; choose a stain of the same place."
    )
    assert panels(viewer) == []


def test_deleted_panel_stays_away_until_it_is_asked_for(viewer, shown, done):
    viewer.layers.remove(panels(viewer)[1])
    viewer.dims.set_point(0, 0)
    done()
    assert [layer.name[0] for layer in panels(viewer)] == ["A", "C", "D", "E"]
    shown.loss.button.click()
    done()
    assert [layer.name[0] for layer in panels(viewer)] == ["A", "B", "C", "D", "E"]


def test_another_target_takes_the_loss_away(viewer, shown, fluorescence, done):
    shown.layer.value = viewer.add_image(fluorescence[::-1], name="other")
    done()
    assert panels(viewer) == []
    assert shown.loss.table.isHidden()  # its numbers were of the former target


def test_holes_in_the_target_carry_no_loss(viewer, shown, target, fluorescence, done):
    image = fluorescence.astype(np.float32)
    image[:, 10:20, 10:20] = np.nan
    target.data = image
    done()
    for layer in (panels(viewer)[2], panels(viewer)[4]):
        assert np.isfinite(layer.data).all()
        assert not layer.data[0, 10:20, 10:20].any()


@pytest.fixture
def landscape(viewer: Any, shown: Any) -> Any:
    """The widget with the landscape on; the stain was hidden, and the view zoomed in."""
    viewer.layers["stain"].visible = False
    camera_of(viewer).zoom, camera_of(viewer).center = 7.0, (0, 2.0, 3.0)
    shown.loss.landscape.click()
    return shown


def test_landscape_shows_the_loss_before_and_after(viewer, landscape, target, stain):
    before, after = viewer.layers[-2:]
    assert (before.name, after.name) == ("loss before weighting", "loss after weighting")
    assert viewer.dims.ndisplay == 3
    assert [layer for layer in viewer.layers if layer.visible] == [before, after]
    (z,) = landscape.loss._shown.seen.request.index
    seen = expected(target.data[z], stain.data[z])
    for layer, part in ((before, seen.error), (after, seen.weighted)):
        vertices, _, values = layer.data
        np.testing.assert_array_equal(values, part.ravel())  # 71 pixels need no coarser mesh
        # an error of 1 is half the plane's width high: 71 · 0.2 / 2
        np.testing.assert_allclose(-vertices[:, 0], 0.5 * 71 * 0.2 * part.ravel(), rtol=1e-6)
        np.testing.assert_allclose(vertices[-1, 1:], (59 * 0.1, 70 * 0.2))


def test_landscape_off_leaves_the_view_as_it_was(viewer, shown):
    viewer.dims.set_point(0, 3)
    viewer.layers["stain"].visible = False
    camera_of(viewer).zoom, camera_of(viewer).center = 7.0, (0, 2.0, 3.0)

    def state() -> list[Any]:
        seen = [(layer.name, layer.visible) for layer in viewer.layers]
        camera = camera_of(viewer)
        view = [camera.zoom, *camera.center[-2:], *camera.angles]
        return [seen, view, viewer.dims.ndisplay, viewer.dims.point, {*viewer.layers.selection}]

    viewer.layers.selection = {viewer.layers["stain"], viewer.layers["target"]}
    before = state()
    shown.loss.landscape.click()
    assert viewer.dims.ndisplay == 3
    shown.loss.landscape.click()
    assert state() == before


@pytest.mark.parametrize("displays", [2, 3])
def test_turning_to_2d_leaves_the_landscape(viewer, shown, until, displays):
    viewer.dims.ndisplay = displays
    before = [layer for layer in viewer.layers if layer.visible]
    shown.loss.landscape.click()
    viewer.dims.ndisplay = 2
    until(lambda: not shown.loss.landscape.isChecked())
    assert [layer for layer in viewer.layers if layer.visible] == before
    assert viewer.dims.ndisplay == 2
    viewer.dims.ndisplay = 3  # nobody listens
    viewer.dims.ndisplay = 2
    assert [layer for layer in viewer.layers if layer.visible] == before


def test_landscape_follows_the_settings(viewer, landscape, done):
    before = viewer.layers["loss after weighting"].data[2].copy()
    changed = []
    viewer.layers["loss before weighting"].events.data.connect(changed.append)
    landscape.form.setValue(WeightSettings(a=(0.0, 0.0, 0.0), b=(1.0, 1.0, 1.0)))
    done()
    after = viewer.layers["loss after weighting"].data[2]
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, viewer.layers["loss before weighting"].data[2])
    assert not changed  # which would cost time for nothing


def test_landscape_is_reduced_in_a_thread_and_its_layers_stay(viewer, landscape, done, monkeypatch):
    """On the main thread each move of a slider stopped the viewer for 0.1 s on a plane of 2048 by 2048 pixels."""
    threads, before = [], viewer.layers[-2:]
    reduce = plane_look.downscale_local_mean

    def reduced(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return reduce(*given)

    monkeypatch.setattr(plane_look, "downscale_local_mean", reduced)
    monkeypatch.setattr(plane_look, "_RELIEF", 20)
    monkeypatch.setattr(loss_layers, "Surface", None)  # none is made
    landscape.form.setValue(WeightSettings(a=(0.0, 0.0, 0.0), b=(1.0, 1.0, 1.0)))
    done()
    assert threads
    assert threading.main_thread() not in threads
    assert viewer.layers[-2:] == before
    vertices, _, values = before[0].data
    assert len(values) == 15 * 18  # (60, 71) px in squares of 4
    np.testing.assert_allclose(vertices[-1, 1:], (14 * 4 * 0.1, 17 * 4 * 0.2))


def test_landscape_leaves_when_something_else_takes_the_viewer_over(viewer, shown):
    before = [layer for layer in viewer.layers if layer.visible]
    shown.loss.landscape.click()
    taken = Takeover(viewer, lambda: taken.give_back())
    assert not shown.loss.landscape.isChecked()
    assert ([*taken.before.visible], taken.before.displays, viewer.dims.ndisplay) == (before, 2, 2)
    shown.loss.landscape.click()
    taken = Takeover(viewer, lambda: None)
    assert [*taken.before.visible] == before


@pytest.mark.parametrize("change", ["gone", "come"])
def test_point_comes_back_when_an_axis_has_gone_or_come(viewer, shown, until, change):
    if change == "gone":
        viewer.add_points([[7, 0, 5, 5]], name="tracks")
    viewer.dims.set_point(viewer.dims.ndim - 3, 3)
    shown.loss.landscape.click()
    if change == "gone":
        viewer.layers.remove("tracks")
    else:
        viewer.add_points([[7, 0, 5, 5]], name="tracks")
    shown.loss.landscape.click()
    assert viewer.dims.point[-3] == 3


@pytest.mark.parametrize("leave", ["dock", "target"])
def test_leaving_with_the_landscape_on(viewer, landscape, target, until, leave):
    if leave == "dock":
        viewer.window.remove_dock_widget(landscape)
    else:
        viewer.layers.remove(target)
    left = ["target", "stain"] if leave == "dock" else ["stain"]
    until(lambda: names(viewer) == left)
    assert viewer.dims.ndisplay == 2


def test_viewer_closed_with_the_landscape_on(viewer, landscape):
    viewer.close()


def test_deleted_surface_does_not_stop_the_way_back(viewer, landscape):
    viewer.layers.remove("loss before weighting")
    landscape.loss.landscape.click()
    assert viewer.dims.ndisplay == 2
    assert viewer.layers["target"].visible
    assert "loss after weighting" not in names(viewer)


def test_landscape_leaves_the_plane_that_is_weighed(viewer, shown, target, done):
    viewer.dims.set_point(0, 3)
    done()
    shown.loss.landscape.click()
    shown.form.setValue(WeightSettings(a=(0.1, 0.6, 0.3)))  # while another point of the world is in view
    done()
    shown.loss.landscape.click()
    done()
    assert viewer.dims.point[0] == 3
    np.testing.assert_allclose(panels(viewer)[0].data_to_world((0, 5, 7)), target.data_to_world((3, 5, 7)))
