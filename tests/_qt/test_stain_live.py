"""The live stain in a real viewer: it follows the view, keeps what was stained, and ends when it should."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers._layer_actions import _convert, _duplicate_layer
from qtpy.QtCore import QCoreApplication, QEvent

from napari_mitostain import stain
from napari_mitostain._qt import live_tiles, stain_live
from napari_mitostain._qt.stain_run import contrast_of
from napari_mitostain._qt.view_state import camera_of
from napari_mitostain.config import StainSettings
from napari_mitostain.image import Stack, units
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining import live_plane

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
TILES = StainSettings(precision="float32", tile=32)  # 3 × 2 tiles of a plane of cells
TILE_BYTES = 32 * 32 * 4
ATOL = 1e-4  # float32, in windows of another size


def edit(widget: Any, **changes: Any) -> None:
    widget.form.setValue(replace(widget.form.value(), **changes))


@pytest.fixture
def live(widget: Any) -> Any:
    """The live stain of the dock widget."""
    return widget.live


@pytest.fixture
def done(live: Any, until: Any) -> Callable[[], None]:
    """Wait until all that is wanted is stained."""
    return lambda: until(lambda: not live.is_busy)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the thread was asked for: planes to be made ready, and tiles."""
    steps: list[Any] = []
    make_ready, stain_next = live_tiles.make_ready, live_tiles.stain_next

    def ready(source: Any, key: Any, contrast: Any) -> Any:
        steps.append((key.level, key.plane, "ready"))
        return make_ready(source, key, contrast)

    def stained(source: Any, key: Any, plane: Any) -> Any:
        steps.append((key.level, key.plane, key.place))
        return stain_next(source, key, plane)

    monkeypatch.setattr(live_tiles, "make_ready", ready)
    monkeypatch.setattr(live_tiles, "stain_next", stained)
    return steps


def turn_on(widget: Any, settings: StainSettings = TILES) -> None:
    edit(widget, settings=settings)
    widget.live_button.click()


def shown(viewer: Any) -> Any:
    """Return the layer of the live stain."""
    (layer,) = (layer for layer in viewer.layers if layer.metadata.get("mitostain", {}).get("result") == "live stain")
    return layer


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_plane_in_view_is_stained_as_in_the_full_stain(viewer, widget, small_model, cells, done):
    viewer.add_image(cells, name="cells")
    viewer.dims.set_point(0, 3)
    turn_on(widget)
    done()
    layer = shown(viewer)
    assert (layer.name, layer.blending, layer.dtype, layer.data[0].shape) == (
        "cells live stain",
        "additive",
        np.float32,
        cells.shape,
    )
    np.testing.assert_allclose(np.asarray(layer.data[0][3]), stain(cells, small_model, TILES)[3], atol=ATOL)
    assert viewer.layers.selection.active is viewer.layers["cells"]
    assert widget.words.text().startswith("Live: what is in view is stained")


def test_order_is_view_then_planes_ahead_then_behind(viewer, widget, cells, done, steps):
    viewer.add_image(np.concatenate([cells, cells]))
    viewer.dims.set_point(0, 6)
    turn_on(widget)
    done()
    assert [step[1][0] for step in steps if step[2] == "ready"] == [6, 7, 8, 9, 5]
    del steps[:]
    viewer.dims.set_point(0, 4)  # the slider goes down
    done()
    assert [step[1][0] for step in steps if step[2] == "ready"] == [4, 3, 2, 1, 0]


def test_tiles_nearest_the_middle_of_the_view_come_first(viewer, widget, cells, done, steps):
    viewer.add_image(cells)
    camera_of(viewer).center = (0, 60, 10)
    turn_on(widget)
    done()
    places = [step[2] for step in steps if step[1] == (2,) and step[2] != "ready"]
    assert places[:2] == [(1, 0), (2, 0)]
    assert len({*places}) == len(places) == 6


def test_what_passes_by_is_not_stained(viewer, widget, cells, done, steps, hold, until, monkeypatch):
    monkeypatch.setattr(live_tiles, "make_ready", hold.hold(live_tiles.make_ready))
    viewer.add_image(np.concatenate([cells, cells]))
    viewer.dims.set_point(0, 0)
    turn_on(widget)
    until(lambda: bool(hold.asked))  # plane 0 is being made ready
    for plane in (2, 4, 6, 9):
        viewer.dims.set_point(0, plane)
    hold.let()
    done()
    first = [step[1][0] for step in steps]
    assert first[:2] == [0, 9]  # what was begun, and then what is in view


def test_revisited_plane_is_not_stained_again(viewer, widget, cells, done, steps):
    viewer.add_image(cells)
    viewer.dims.set_point(0, 2)
    turn_on(widget)
    done()
    for plane in (3, 2):
        viewer.dims.set_point(0, plane)
        done()
    stained = [step for step in steps if step[2] != "ready"]
    assert len(stained) == len({*stained})


def test_memory_is_bounded_and_the_view_is_kept_first(viewer, widget, cells, done, monkeypatch):
    bound = 7 * TILE_BYTES  # a plane, whose tiles are smaller at the edges, and some more
    monkeypatch.setattr(stain_live, "cache_bytes", lambda: bound)
    viewer.add_image(np.concatenate([cells, cells]))
    turn_on(widget)
    for plane in (0, 9, 4):
        viewer.dims.set_point(0, plane)
        done()
        kept = widget.live.tiles.cache
        assert kept.used <= bound
        assert sum(key.plane == (plane,) for key, _ in kept.items()) == 6
    monkeypatch.setattr(stain_live, "cache_bytes", lambda: TILE_BYTES)  # the user lowers it
    viewer.dims.set_point(0, 5)
    done()
    assert widget.live.tiles.cache.used <= TILE_BYTES


@pytest.mark.parametrize("lazy", [np.asarray, da.from_array, zarr.array], ids=["numpy", "dask", "zarr"])
def test_sliders_are_followed_in_time_and_depth(viewer, widget, small_model, cells, done, lazy, steps):
    image = np.stack([cells, cells[::-1], cells, cells])
    source = viewer.add_image(lazy(image), contrast_limits=(0, 255), scale=(10, 0.5, 0.1, 0.1), translate=(0, 3, 0, 0))
    turn_on(widget)
    expected = stain(image, small_model, TILES)
    for t, z in ((0, 0), (1, 2), (0, 4)):
        viewer.dims.set_point((0, 1), (10 * t, 3 + 0.5 * z))
        done()
        np.testing.assert_allclose(np.asarray(shown(viewer).data[0][t, z]), expected[t, z], atol=ATOL)
        np.testing.assert_allclose(shown(viewer).data_to_world((t, z, 7, 9)), source.data_to_world((t, z, 7, 9)))
    del steps[:]
    viewer.dims.set_point(0, 20)  # time goes on: what comes next is later, and not deeper
    done()
    assert [step[1] for step in steps if step[2] == "ready"] == [(2, 4), (3, 4)]


def test_stack_is_read_as_far_as_it_is_looked_at(viewer, widget, cells, done):
    read: list[int] = []

    def load(block_id: tuple[int, ...]) -> np.ndarray:
        read.append(block_id[0])
        return np.roll(cells[:1], block_id[0], axis=1)

    stack = da.map_blocks(
        load, chunks=((1,) * 100_000, (70,), (61,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)
    )
    viewer.add_image(stack, contrast_limits=(0, 255))
    viewer.dims.set_point(0, 70_000)
    turn_on(widget)
    done()
    assert {*read} <= {50_000 - 1, 50_000, 0, *range(69_999, 70_005)}  # what napari has read, and what was stained


def test_multiscale_stack_is_stained_at_the_level_in_view(viewer, widget, small_model, cells, done, steps):
    levels = [cells[:, :68, :60], cells[:, :68:2, :60:2]]
    source = viewer.add_image(levels, multiscale=True)
    source.locked_data_level = 1  # else napari chooses, by the size of its canvas
    turn_on(widget)
    done()
    assert {step[0] for step in steps} == {1}
    alone = Stack(levels[1][2], "YX", {"Y": 0.2, "X": 0.2})  # twice the pixel size of the model
    expected = stain(alone, small_model, replace(TILES, resample=True))
    np.testing.assert_allclose(np.asarray(shown(viewer).data[1][2]), expected, atol=ATOL)
    source.locked_data_level = 0
    done()
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0][2]), stain(levels[0][2], small_model, TILES), atol=ATOL)


def test_resampling_is_that_of_the_full_stain(viewer, widget, small_model, cells, done):
    viewer.add_image(cells[0], scale=(0.13, 0.13), units="um")
    settings = replace(TILES, resample=True)
    turn_on(widget, settings)
    done()
    expected = stain(Stack(cells[0], "YX", {"Y": 0.13, "X": 0.13}), small_model, settings)
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0]), expected, atol=ATOL)


def test_layer_lies_on_its_source_and_says_what_it_is(viewer, widget, small_model, cells, done):
    source = viewer.add_image(cells, **MICROSCOPE)
    turn_on(widget)
    done()
    layer = shown(viewer)
    for corner in ([0, 0, 0], [4, 69, 60], [2, 30, 10]):
        np.testing.assert_allclose(layer.data_to_world(corner), source.data_to_world(corner))
    assert (layer.units, layer.axis_labels) == (source.units, source.axis_labels)
    told = layer.metadata["mitostain"]
    assert told["digitally_predicted"] is True
    assert (told["model"], told["model_sha256"], told["source"]) == ("small", small_model.sha256, "cells")
    source.translate = (0, 0, 5)
    done()
    np.testing.assert_allclose(layer.data_to_world([1, 2, 3]), source.data_to_world([1, 2, 3]))


def test_napari_shows_what_is_stained(viewer, widget, cells, done, until):
    viewer.add_image(cells, visible=False)
    viewer.show()
    turn_on(widget)
    done()
    until(lambda: bool(viewer.screenshot(flash=False)[..., 0].any()))  # magenta, on black
    assert shown(viewer).contrast_limits != [0, 1]  # fitted to what is there


@pytest.mark.parametrize(("own", "other"), [("um", "nm"), ("nm", "um")])
def test_layer_in_other_units_than_the_viewer(viewer, widget, small_model, cells, done, until, own, other):
    """Napari has all its layers in the smallest of their units, or in those that the user has set."""
    if not hasattr(viewer.dims, "units"):
        pytest.skip("before 0.9 napari has each layer in its own units")
    scale = np.array([0.5, 0.1, 0.1]) * (1 if own == "um" else 1000)
    viewer.add_image(cells, scale=scale, units=own, visible=False)
    viewer.layers.units = (other,) * 3
    viewer.dims.set_current_step(0, 1)
    viewer.reset_view()
    viewer.show()
    turn_on(widget)
    done()
    assert widget.live._view.finest == (1,)
    until(lambda: bool(viewer.screenshot(flash=False)[..., 0].any()))  # magenta, on black
    np.testing.assert_allclose(shown(viewer)._data_view.max(), stain(cells, small_model, TILES)[1].max(), atol=ATOL)
    camera_of(viewer).zoom *= 8
    camera_of(viewer).center = tuple(np.array([0, 3.0, 3.0]) * (1 if other == "um" else 1000))
    QCoreApplication.processEvents()
    done()
    assert widget.words.text().startswith("Live: what is in view is stained")
    until(lambda: bool(viewer.screenshot(flash=False)[..., 0].any()))


@pytest.mark.parametrize("is_renewed", [False, True])
def test_napari_saves_copies_and_converts_what_is_stained(viewer, widget, cells, done, tmp_path, is_renewed):
    source = viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    if is_renewed:
        source.data = cells[:, ::-1].copy()
        done()
    layer = shown(viewer)
    whole = np.asarray(layer.data[0])
    assert whole.any()
    viewer.layers.save(str(tmp_path / "all"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "all" / "cells live stain.tif"), whole)
    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    copy = viewer.layers["cells live stain copy"]
    viewer.layers.selection = {layer}
    layer.projection_mode = "none"  # of the others napari warns that labels have none
    _convert(viewer.layers, "labels")
    np.testing.assert_array_equal(viewer.layers["cells live stain [1]"].data, whole.astype(int))
    widget.live_button.click()
    np.testing.assert_array_equal(copy.data[0], whole)


def test_chosen_channel(viewer, widget, small_model, cells, done):
    image = np.stack([cells, cells[::-1] // 2 + 9], axis=1)  # (Z, C, Y, X)
    source = viewer.add_image(image, axis_labels=("z", "channel", "y", "x"))
    edit(widget, channel=1)
    turn_on(widget)
    viewer.dims.set_point((0, 1), (4, 0))
    done()
    layer = shown(viewer)
    assert layer.data[0].shape == (5, 1, 70, 61)
    np.testing.assert_allclose(np.asarray(layer.data[0][4, 0]), stain(image[4, 1], small_model, TILES), atol=ATOL)
    np.testing.assert_allclose(layer.data_to_world([4, 0, 3, 5]), source.data_to_world([4, 1, 3, 5]))


def test_other_channel_in_view_is_told_where_the_stain_is(viewer, widget, cells, done):
    viewer.add_image(np.zeros((2, 5, 2, 8, 8)), name="longer")
    source = viewer.add_image(np.stack([cells, cells], axis=1), axis_labels=("z", "c", "y", "x"))
    edit(widget, layer=source, channel_axis=1, channel=1)
    viewer.dims.set_point(2, 0)
    turn_on(widget)
    done()
    label = viewer.dims.axis_labels[2]  # as beside the slider
    assert widget.words.text() == f"Live: the stain is at channel 1; move slider {label} there to see it."
    viewer.dims.set_point(2, 1)
    done()
    assert widget.words.text().startswith("Live: what is in view is stained")


def test_x_before_y(viewer, widget, small_model, cells, done):
    viewer.add_image(cells.transpose(2, 0, 1), axis_labels=("x", "z", "y"))
    viewer.dims.order = (1, 2, 0)
    viewer.dims.set_point(1, 3)
    turn_on(widget)
    done()
    np.testing.assert_allclose(
        np.asarray(shown(viewer).data[0][:, 3]).T, stain(cells[3], small_model, TILES), atol=ATOL
    )


def test_view_without_rows_and_columns_waits(viewer, widget, cells, done, steps):
    viewer.add_image(cells)
    viewer.dims.order = (1, 0, 2)
    turn_on(widget)
    done()
    assert not steps
    assert "rows and columns" in widget.words.text()
    viewer.dims.order = (0, 1, 2)
    done()
    assert widget.words.text().startswith("Live: what is in view is stained")
    viewer.dims.ndisplay = 3
    done()
    assert "rows and columns" in widget.words.text()


def test_nothing_is_shown_of_a_volume(viewer, widget, cells, done, until):
    viewer.add_image(cells, visible=False)
    viewer.show()
    turn_on(widget)
    done()
    shown(viewer).contrast_limits = (0, 1e-6)  # what is there at all is bright
    assert np.asarray(shown(viewer).data[0][2, 0, 0]) > 0  # the first pixel is stained
    until(lambda: bool(viewer.screenshot(flash=False)[..., :3].any()))
    viewer.dims.ndisplay = 3
    done()
    assert not viewer.screenshot(flash=False)[..., :3].any()
    assert not shown(viewer).thumbnail[..., :3].any()


def test_finished_stack_is_the_full_stain_and_begins_with_what_was_seen(
    viewer, widget, small_model, cells, done, gate, until
):
    viewer.add_image(cells, name="cells")
    viewer.dims.set_point(0, 3)
    turn_on(widget)
    done()
    shown(viewer).colormap, shown(viewer).contrast_limits = "green", (0.2, 0.7)
    edit(widget, planes="view")  # the whole stack is meant all the same
    assert widget.button.text() == "Finish the stack"
    widget.button.click()
    assert [widget.button.text(), widget.live_button.isChecked(), widget.live_button.isEnabled()] == [
        "Cancel",
        False,
        False,
    ]
    assert names(viewer) == ["cells", "cells stain"]
    result = viewer.layers["cells stain"]
    until(lambda: bool(result.data[3].any()))  # before the job has stained anything
    expected = stain(cells, small_model, TILES)
    np.testing.assert_allclose(result.data[3], expected[3], atol=ATOL)
    gate.open()
    until(lambda: widget.button.text() == "Stain")
    np.testing.assert_array_equal(result.data, expected)
    assert (result.colormap.name, result.contrast_limits) == ("green", [0.2, 0.7])
    assert widget.live_button.isEnabled()


@pytest.mark.parametrize("moves", [False, True], ids=["finished there", "moved on"])
def test_contrast_is_fitted_to_the_first_stain_that_is_not_empty(viewer, widget, cells, done, until, moves):
    cells[2] = 7
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    assert shown(viewer).contrast_limits == [0, 1]
    if moves:
        viewer.dims.set_point(0, 3)  # which was stained ahead
        done()
        assert shown(viewer).contrast_limits == list(contrast_of(np.asarray(shown(viewer).data[0][3])[::4, ::4]))
    widget.button.click()
    until(lambda: widget.button.text() == "Stain")
    assert viewer.layers["cells stain"].contrast_limits != [0, 1]


def test_finished_constant_image_leaves_no_empty_layer(viewer, widget, done, until, notifications):
    viewer.add_image(np.full((64, 64), 5, np.uint8), name="flat")
    turn_on(widget)
    done()
    widget.button.click()
    until(lambda: widget.button.text() == "Stain")
    assert notifications[-1].message.startswith("Expected brightfield with contrast in flat")
    assert names(viewer) == ["flat"]


@pytest.mark.parametrize("value", [5, np.nan])
def test_constant_plane_is_said_to_have_an_empty_stain(viewer, widget, cells, done, value):
    image = cells.astype(np.float32)
    image[2] = value
    viewer.add_image(image)
    turn_on(widget)
    done()
    assert widget.words.text() == "Live: the plane in view is constant, its stain is empty."
    viewer.dims.set_point(0, 3)
    done()
    assert widget.words.text().startswith("Live: what is in view is stained")


def test_model_and_settings_are_followed(viewer, widget, small_model, own_model, cells, done):
    viewer.add_image(cells)
    turn_on(widget)
    done()
    layer = shown(viewer)
    edit(widget, settings=StainSettings(precision="bfloat16", tile=32))
    done()
    assert layer.metadata["mitostain"]["computed"]["precision"] == "bfloat16"
    edit(widget, model=own_model, settings=TILES)
    assert not np.asarray(layer.data[0][2]).any()  # nothing of the former model is seen
    done()
    assert shown(viewer) is layer
    assert layer.metadata["mitostain"]["model"] == "heart"
    np.testing.assert_allclose(np.asarray(layer.data[0][2]), stain(cells[2], small_model, TILES), atol=ATOL)


def test_another_layer_is_followed_and_the_former_s_stain_goes(viewer, widget, small_model, cells, done):
    viewer.add_image(cells, name="cells")
    other = viewer.add_image(cells[::-1].copy(), name="other")
    edit(widget, layer=viewer.layers["cells"])
    turn_on(widget)
    done()
    edit(widget, layer=other)
    done()
    assert names(viewer) == ["cells", "other", "other live stain"]
    np.testing.assert_allclose(
        np.asarray(shown(viewer).data[0][2]), stain(other.data[2], small_model, TILES), atol=ATOL
    )


def test_new_data_and_pixels_changed_in_place(viewer, widget, small_model, cells, done):
    source = viewer.add_image(cells.copy())
    turn_on(widget)
    done()
    source.data = cells[::-1, :60].copy()
    done()
    expected = stain(source.data, small_model, TILES)
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0][2]), expected[2], atol=ATOL)
    source.data[2] = cells[0, 5:65]
    source.refresh()
    done()
    np.testing.assert_allclose(
        np.asarray(shown(viewer).data[0][2]), stain(cells[0, 5:65], small_model, TILES), atol=ATOL
    )
    source.data = source.data[0]
    done()
    assert shown(viewer).data[0].shape == (60, 61)


@pytest.mark.parametrize("how", ["refreshed", "while it was hidden"])
@pytest.mark.parametrize("multiscale", [False, True])
def test_pixels_changed_in_place_count_in_every_plane(viewer, widget, small_model, cells, done, how, multiscale):
    pixels = cells.copy()
    source = viewer.add_image([pixels, pixels[:, ::2, ::2]] if multiscale else pixels, multiscale=multiscale)
    if multiscale:
        source.locked_data_level = 0
    turn_on(widget)
    done()  # with the planes before and after
    source.visible = how == "refreshed"
    pixels[:] = cells[:, ::-1]
    source.refresh()
    source.visible = True
    done()
    expected = stain(pixels, small_model, TILES)
    for plane in (2, 3, 1):
        viewer.dims.set_point(0, plane)
        done()
        np.testing.assert_allclose(np.asarray(shown(viewer).data[0][plane]), expected[plane], atol=ATOL)


def test_slicing_lets_go_of_nothing(viewer, widget, cells, done, steps):
    viewer.add_image(np.zeros((3, 9, 8, 8)), scale=(1, 0.5, 1, 1))  # with an axis more, and planes between those
    source = viewer.add_image([cells[:, :68, :60], cells[:, :68:2, :60:2]], multiscale=True, name="cells")
    edit(widget, layer=source)
    source.locked_data_level = 0
    turn_on(widget)
    done()
    viewer.dims.set_point((0, 1), (2, 2))
    done()
    kept = {key for key, _ in widget.live.tiles.cache.items()}
    for point in ((0, 2), (0, 2.5), (0, 2), (1, 3)):
        viewer.dims.set_point((0, 1), point)
        done()
    source.translate = (0, 0, 5)
    for level in (1, 0):
        source.locked_data_level = level
        done()
    for displayed in (3, 2):
        viewer.dims.ndisplay = displayed
        done()
    source.visible = False
    stained = [step for step in steps if step[2] != "ready"]
    assert kept <= {key for key, _ in widget.live.tiles.cache.items()}
    assert len(stained) == len({*stained})


def test_late_tile_of_former_pixels_is_dropped(viewer, widget, small_model, cells, done, hold, monkeypatch, until):
    stain_next = live_tiles.stain_next
    monkeypatch.setattr(live_tiles, "stain_next", hold.hold(stain_next))
    source = viewer.add_image(cells.copy())
    turn_on(widget)
    until(lambda: bool(hold.asked))
    source.data[2] = cells[0]
    source.refresh()
    until(lambda: len(hold.asked) > 1)  # the new pixels do not wait for the old ones
    hold.let()
    done()
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0][2]), stain(cells[0], small_model, TILES), atol=ATOL)


def test_data_that_cannot_be_stained_turns_the_mode_off(viewer, widget, cells, done):
    source = viewer.add_image(cells)
    turn_on(widget)
    done()
    source.data = cells > 100
    done()
    assert [widget.live_button.isChecked(), widget.live_button.isEnabled(), len(viewer.layers)] == [False, False, 1]
    assert widget.words.text().startswith("Expected")


def test_turning_it_off_leaves_nothing_and_drops_what_is_under_way(viewer, widget, cells, hold, monkeypatch, until):
    monkeypatch.setattr(live_tiles, "make_ready", hold.hold(live_tiles.make_ready))
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    until(lambda: bool(hold.asked))
    widget.live_button.click()
    assert [names(viewer), widget.button.text(), widget.words.text()] == [["cells"], "Stain", ""]
    hold.let()
    until(lambda: not widget.live.is_busy)
    assert len(widget.live.tiles.cache) == 0
    assert len(hold.asked) == 1


@pytest.mark.parametrize("which", ["cells", "cells live stain"])
def test_deleted_layer_ends_it(viewer, widget, cells, done, until, which):
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    viewer.layers.remove(which)
    until(lambda: not widget.live_button.isChecked())
    assert names(viewer) == ([] if which == "cells" else ["cells"])
    assert not widget.live.is_on


def test_all_layers_deleted(viewer, widget, cells, done, until):
    viewer.add_image(cells)
    turn_on(widget)
    done()
    viewer.layers.clear()
    until(lambda: not widget.live_button.isChecked())
    assert not widget.live.is_on


def test_closed_dock_takes_the_layer_away(viewer, widget, cells, hold, monkeypatch, until):
    monkeypatch.setattr(live_tiles, "make_ready", hold.hold(live_tiles.make_ready))
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    until(lambda: bool(hold.asked))
    viewer.window.remove_dock_widget(widget.parent())
    assert names(viewer) == ["cells"]
    hold.let()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    viewer.dims.set_point(0, 1)


def test_closed_dock_stains_no_layer_that_comes_later(viewer, widget, cells, done):
    first = viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    viewer.window.remove_dock_widget(widget.parent())
    viewer.add_image(cells, name="late")
    viewer.layers.remove(first)
    assert not widget.live.is_on
    assert names(viewer) == ["late"]


def test_plane_that_fails_is_told_once_and_the_others_go_on(viewer, widget, small_model, cells, done, notifications):
    def load(block_id: tuple[int, ...]) -> np.ndarray:
        if block_id[0] == 3 and damaged:
            raise OSError("chunk 3 is damaged")
        return cells[block_id[0]][None]

    damaged: list[int] = []
    stack = da.map_blocks(load, chunks=((1,) * 5, (70,), (61,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    viewer.add_image(stack, contrast_limits=(0, 255))
    damaged.append(1)
    turn_on(widget)
    done()
    assert [told.message for told in notifications] == ["OSError: chunk 3 is damaged"]
    assert widget.live_button.isChecked()
    stained = {key.plane[0] for key, _ in widget.live.tiles.cache.items()}
    assert stained == {1, 2, 4}


def test_plane_in_view_that_fails_is_not_said_to_be_stained(viewer, widget, cells, done, notifications):
    def load(block_id: tuple[int, ...]) -> np.ndarray:
        if block_id[0] == 3 and threading.current_thread() is not threading.main_thread():
            raise OSError("chunk 3 is damaged")
        return cells[block_id[0]][None]

    stack = da.map_blocks(load, chunks=((1,) * 5, (70,), (61,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    with dask.config.set(scheduler="synchronous"):
        viewer.add_image(stack, contrast_limits=(0, 255))
        turn_on(widget)
        done()
        viewer.dims.set_point(0, 3)
        done()
        assert [told.message for told in notifications] == ["OSError: chunk 3 is damaged"]
        assert "could not be stained" in widget.words.text()
        viewer.dims.set_point(0, 2)
        done()
        assert "what is in view is stained" in widget.words.text()


def test_error_that_stays_turns_the_mode_off_and_is_told_once(viewer, widget, cells, until, notifications, monkeypatch):
    def fails(*_: Any) -> Any:
        raise RuntimeError("device lost")

    viewer.add_image(cells, name="cells")
    monkeypatch.setattr(Predictor, "__call__", fails)
    turn_on(widget)
    until(lambda: not widget.live_button.isChecked())
    assert [told.message for told in notifications] == ["RuntimeError: device lost"]
    assert "device lost" in widget.words.text()
    assert names(viewer) == ["cells"]


def test_model_that_cannot_be_loaded_turns_the_mode_off(viewer, widget, cells, own_model, until, notifications):
    viewer.add_image(cells, name="cells")
    edit(widget, model=own_model)
    Path(own_model).write_bytes(b"damaged")
    widget.live_button.click()
    until(lambda: not widget.live_button.isChecked())
    assert len(notifications) == 1
    assert notifications[0].message.startswith("Expected the weights of heart")


def test_lack_of_memory_is_told_and_survived(viewer, widget, small_model, cells, done, notifications, monkeypatch):
    predict = Predictor.__call__

    def fails_on_large_windows(self: Predictor, window: np.ndarray) -> np.ndarray:
        if window.shape[0] > 64:
            raise RuntimeError("CUDA out of memory")
        return predict(self, window)

    monkeypatch.setattr(Predictor, "__call__", fails_on_large_windows)
    viewer.add_image(cells)
    turn_on(widget, replace(TILES, tile=64))
    done()
    assert notifications[0].message.startswith("Not enough memory for tiles of 64 pixels, going on with 32")
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0][2]), stain(cells[2], small_model, TILES), atol=ATOL)


def test_no_memory_for_the_smallest_tile_turns_the_mode_off(viewer, widget, cells, until, notifications, monkeypatch):
    def fails(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Predictor, "__call__", fails)
    viewer.add_image(cells)
    turn_on(widget)
    until(lambda: not widget.live_button.isChecked())
    assert "close other programs" in notifications[-1].message


def test_camera_of_a_resting_view_costs_no_tiles(viewer, widget, cells, done, steps):
    viewer.add_image(cells)
    turn_on(widget)
    done()
    count = len(steps)
    camera_of(viewer).center = (0, 30, 30)
    camera_of(viewer).zoom *= 1.1
    done()
    assert len(steps) == count


def test_large_plane_is_stained_by_an_estimate_until_it_is_measured(
    viewer, widget, small_model, cells, done, monkeypatch
):
    monkeypatch.setattr(units, "LARGE", 0)
    for name, value in {"_BLOCKS": 1, "_BLOCK_PX": 16, "_STRIP": (16, 30)}.items():
        monkeypatch.setattr(live_plane, name, value)
    said: list[str] = []
    widget.live.said.connect(said.append)
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    assert "estimate" in "".join(said)
    assert "estimate" not in widget.words.text()
    expected = stain(cells, small_model, TILES)
    stained = np.asarray(shown(viewer).data[0])
    # as in the core's test of parts: the background is summed in another order
    np.testing.assert_allclose(stained[2], expected[2], atol=5e-3)
    assert not np.allclose(stained[3], expected[3], atol=5e-3)  # ahead, by the estimate
    viewer.dims.set_point(0, 3)
    done()
    np.testing.assert_allclose(np.asarray(shown(viewer).data[0][3]), expected[3], atol=5e-3)


def test_plane_too_large_to_be_measured_keeps_the_estimate(viewer, widget, cells, done, monkeypatch):
    monkeypatch.setattr(units, "LARGE", 0)
    for name, value in {"_BLOCK_PX": 16, "MEASURED_PX": 0}.items():
        monkeypatch.setattr(live_plane, name, value)
    viewer.add_image(cells, name="cells")
    turn_on(widget)
    done()
    assert "estimate" in widget.words.text()
