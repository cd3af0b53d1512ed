"""The overlay in a real viewer: it follows the view, its source and the settings, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from napari.utils.progress import progress

from napari_mitostain._qt import weights_job, weights_overlay
from napari_mitostain._qt.view_state import camera_of
from napari_mitostain._qt.weights_overlay import WeightsOverlay
from napari_mitostain.config import WeightSettings
from napari_mitostain.model.losses import batch_weights
from napari_mitostain.weighting import statistics, tn_weights, view_plane

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
BOTH = frozenset({"weights", "contours"})
STACK, PATCH = WeightSettings(scope="stack"), WeightSettings(scope="patch")
ODD = WeightSettings(a=(0.1, 0.2, 0.3), b=(0.0, 0.5, 0.6), sigmas=(0.5, 2.0))


@pytest.fixture
def overlay(viewer: Any) -> Any:
    overlay = WeightsOverlay(viewer)
    yield overlay
    overlay.close()


@pytest.fixture
def looks(overlay: WeightsOverlay) -> list[Any]:
    looks: list[Any] = []
    overlay.looked.connect(looks.append)
    return looks


@pytest.fixture
def done(overlay: WeightsOverlay, until: Any) -> Callable[[], None]:
    """Wait for what is under way."""
    return lambda: until(lambda: not overlay.is_busy)


def shown(viewer: Any, kind: str = "weights") -> Any:
    """Return the layer of a kind."""
    (layer,) = (layer for layer in viewer.layers if layer.metadata.get("mitostain", {}).get("result") == kind)
    return layer


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_weights_and_contours_of_a_plane(viewer, overlay, fluorescence, done):
    overlay.follow(viewer.add_image(fluorescence[0], name="cells"))
    done()
    assert names(viewer) == ["cells", "cells TN weights", "cells TN contours"]
    np.testing.assert_array_equal(shown(viewer).data, tn_weights(fluorescence[0]))
    np.testing.assert_array_equal(shown(viewer, "contours").data, view_plane(fluorescence[0]).contours)
    assert shown(viewer).contrast_limits == [0, 1]
    assert 0 < shown(viewer).opacity < 1  # the image stays readable
    assert viewer.layers.selection.active is viewer.layers["cells"]


@pytest.mark.parametrize("lazy", [np.asarray, da.from_array, zarr.array], ids=["numpy", "dask", "zarr"])
def test_sliders_are_followed_in_time_and_depth(viewer, overlay, fluorescence, done, lazy):
    image = np.stack([fluorescence, fluorescence[::-1] * 3])
    scale, translate = (10, 0.5, 0.1, 0.1), (0, 3, 0, 0)
    source = viewer.add_image(lazy(image), contrast_limits=(0, 900), scale=scale, translate=translate)
    overlay.follow(source)
    for t, z in ((0, 0), (1, 2), (1, 3), (0, 1)):
        viewer.dims.set_point((0, 1), (10 * t, 3 + 0.5 * z))
        done()
        np.testing.assert_array_equal(shown(viewer).data[0, 0], tn_weights(image[t, z]))
        for kind in BOTH:
            layer = shown(viewer, kind)
            np.testing.assert_allclose(layer.data_to_world((0, 0, 7, 9)), source.data_to_world((t, z, 7, 9)))
            assert layer.get_value((10 * t, 3 + 0.5 * z, 0.7, 0.9), world=True) is not None  # it is in view
    assert len(viewer.layers) == 3


def test_sliders_are_followed_through_labelled_channels(viewer, overlay, fluorescence, looks, done):
    source = viewer.add_image(fluorescence, axis_labels=("channel", "y", "x"))
    overlay.choose(STACK, 256, BOTH)
    overlay.follow(source)
    for channel in (1, 3, 0):
        viewer.dims.set_point(0, channel)
        done()
        # a stack of one plane: the channel's own statistics, not those of all channels
        np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[channel]))
        assert looks[-1].view.measured == statistics(fluorescence[channel])


def test_layers_lie_on_their_source(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence, **MICROSCOPE)
    overlay.follow(source)
    for z in (0, 3):
        viewer.dims.set_point(0, source.data_to_world((z, 0, 0))[0])
        done()
        for kind in BOTH:
            layer = shown(viewer, kind)
            for row, column in ((0, 0), (59, 70), (30, 10)):
                np.testing.assert_allclose(
                    layer.data_to_world((0, row, column)), source.data_to_world((z, row, column)), atol=1e-9
                )
            assert (layer.units, layer.axis_labels) == (source.units, source.axis_labels)


def test_viewer_in_other_units_than_the_layer(viewer, overlay, fluorescence, done):
    if not hasattr(viewer.dims, "units"):
        pytest.skip("before 0.9 napari has each layer in its own units")
    overlay.follow(viewer.add_image(fluorescence, scale=(0.5, 0.1, 0.1), units="um"))
    viewer.dims.set_current_step(0, 1)
    viewer.layers.units = ("nm", "nm", "nm")
    done()
    step = viewer.dims.current_step[0]  # as far along the longer axis as napari leaves it
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[step]))
    for z in (3, 1):
        viewer.dims.set_current_step(0, z)
        done()
        np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[z]))
        assert shown(viewer)._data_view.any()  # it is in view


def test_source_moved_in_view(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence[0])
    overlay.follow(source)
    done()
    layer = shown(viewer)
    for name, value in (("scale", (2, 3)), ("translate", (5, 6)), ("rotate", 20), ("shear", [0.1]), ("units", "um")):
        setattr(source, name, value)
        done()
        np.testing.assert_allclose(layer.data_to_world((9, 4)), source.data_to_world((9, 4)), err_msg=name)
    assert layer.units == source.units
    assert shown(viewer) is layer


def test_x_before_y(viewer, overlay, fluorescence, done):
    image = np.moveaxis(fluorescence, 0, 1).transpose(2, 1, 0)  # (X, Z, Y)
    overlay.follow(viewer.add_image(image, axis_labels=("x", "z", "y")))
    viewer.dims.set_point(1, 2)
    done()
    assert shown(viewer).data.shape == (71, 1, 60)
    np.testing.assert_array_equal(shown(viewer).data[:, 0].T, tn_weights(fluorescence[2]))


def test_axes_that_are_labelled_later(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence)
    overlay.choose(STACK, 256, BOTH)
    overlay.follow(source)
    done()
    source.axis_labels = ("c", "y", "x")
    viewer.dims.set_point(0, 2)
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[2]))
    assert shown(viewer).axis_labels == ("c", "y", "x")


def test_multiscale_layer_is_weighed_at_its_finest(viewer, overlay, fluorescence, done):
    overlay.follow(viewer.add_image([fluorescence, fluorescence[:, ::2, ::2]], multiscale=True))
    viewer.dims.set_point(0, 1)
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[1]))


def test_rgb_is_refused_and_the_former_layer_let_go(viewer, overlay, fluorescence, done):
    overlay.follow(viewer.add_image(fluorescence[0], name="cells"))
    done()
    colour = viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True, name="colour")
    refused = []
    overlay.refused.connect(refused.append)
    overlay.follow(colour)
    assert "RGB" in str(refused[0])
    assert names(viewer) == ["cells", "colour"]


@pytest.mark.parametrize("first", ["good", "bad"])
def test_data_that_are_refused_are_waited_out(viewer, overlay, fluorescence, done, first):
    source = viewer.add_image(fluorescence if first == "good" else fluorescence > 100, name="cells")
    overlay.follow(source)
    done()
    source.data = fluorescence > 100
    viewer.dims.set_point(0, 0)
    done()
    assert names(viewer) == ["cells"]
    source.data = fluorescence
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[0]))


@pytest.mark.parametrize("settings", [WeightSettings(), ODD, STACK, PATCH], ids=["paper", "odd", "stack", "patch"])
def test_weights_seen_are_the_weights_of_the_loss(viewer, overlay, fluorescence, done, settings):
    overlay.choose(settings, 100, BOTH)  # a patch larger than the plane
    overlay.follow(viewer.add_image(fluorescence))
    viewer.dims.set_point(0, 1)
    done()
    target = torch.from_numpy(fluorescence[1].astype(np.float32))[None, None]
    wide = None if settings.scope != "stack" else [overlay._whole.of(0)]
    np.testing.assert_array_equal(shown(viewer).data, batch_weights(target, settings, wide)[0].numpy())
    assert shown(viewer).metadata["mitostain"]["settings"] == settings.to_dict()


def test_patches_are_weighed_each_by_itself_and_the_one_in_the_middle_is_reported(
    viewer, overlay, fluorescence, looks, done
):
    overlay.choose(PATCH, 16, BOTH)
    overlay.follow(viewer.add_image(fluorescence[0], scale=(2, 2)))
    done()
    for row, column in ((0, 0), (16, 64), (48, 0)):
        box = slice(row, row + 16), slice(column, column + 16)
        np.testing.assert_array_equal(shown(viewer).data[box], tn_weights(fluorescence[0][box]))
        camera_of(viewer).center = (0, 2 * (row + 3), 2 * (column + 3))
        done()
        assert looks[-1].view.measured == statistics(fluorescence[0][box])


def test_camera_costs_nothing_where_it_does_not_matter(viewer, overlay, fluorescence, looks, done):
    overlay.follow(viewer.add_image(fluorescence[0]))
    done()
    count = len(looks)
    camera_of(viewer).center = (0, 3, 3)
    assert not overlay.is_busy
    assert len(looks) == count


def test_pixels_that_are_not_finite_and_planes_without_contrast(viewer, overlay, fluorescence, done):
    image = fluorescence[:3].astype(np.float32)
    image[0, 10:20, 10:20], image[1], image[2] = np.nan, 7, np.nan
    overlay.follow(viewer.add_image(image, contrast_limits=(0, 900)))
    viewer.dims.set_point(0, 0)
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(image[0]))
    assert not shown(viewer).data[0, 10:20, 10:20].any()
    for plane in (1, 2):
        viewer.dims.set_point(0, plane)
        done()
        assert not shown(viewer).data.any()
        assert not shown(viewer, "contours").data.any()


def test_layers_are_shown_as_wanted(viewer, overlay, fluorescence, done):
    overlay.follow(viewer.add_image(fluorescence[0], name="cells"))
    done()
    for wanted in (["contours"], [], ["weights"], ["contours", "weights"]):
        overlay.choose(WeightSettings(), 256, frozenset(wanted))
        done()
        assert sorted(names(viewer)) == sorted(["cells", *(f"cells TN {kind}" for kind in wanted)])


def test_users_own_look_stays(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence)
    overlay.follow(source)
    done()
    layer = shown(viewer)
    layer.colormap, layer.opacity, layer.name = "green", 0.3, "mine"
    viewer.dims.set_point(0, 0)
    done()
    source.data = fluorescence[:, ::-1] * 2
    done()
    assert (shown(viewer).colormap.name, shown(viewer).opacity, shown(viewer).name) == ("green", 0.3, "mine")
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[0, ::-1] * 2))


def test_data_of_another_shape(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence)
    overlay.follow(source)
    done()
    source.data = fluorescence[0, :30]
    done()
    np.testing.assert_array_equal(shown(viewer).data, tn_weights(fluorescence[0, :30]))
    assert len(viewer.layers) == 3


@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, 4), (3, 4), (4, 2)])
@pytest.mark.parametrize("settings", [WeightSettings(), PATCH], ids=["plane", "patch"])
def test_data_of_more_or_fewer_axes(viewer, overlay, fluorescence, done, before, after, settings):
    data = {2: fluorescence[1], 3: fluorescence[:3], 4: np.stack([fluorescence, fluorescence[::-1] * 2])}
    source = viewer.add_image(data[before])
    overlay.choose(settings, 256, BOTH)
    overlay.follow(source)
    done()
    source.data = data[after]
    done()
    index = tuple(int(i) for i in viewer.dims.point[:-2])
    np.testing.assert_array_equal(np.squeeze(shown(viewer).data), tn_weights(data[after][index]))
    assert len(viewer.layers) == 3


def test_stack_is_measured_once_and_anew_for_new_data(viewer, overlay, fluorescence, done, monkeypatch):
    measured = []
    measure = weights_job.measure_stack
    monkeypatch.setattr(weights_job, "measure_stack", lambda *given: measured.append(given) or measure(*given))
    source = viewer.add_image(fluorescence)
    overlay.choose(STACK, 256, BOTH)
    overlay.follow(source)
    done()
    for z in range(4):
        viewer.dims.set_point(0, z)
        overlay.choose(WeightSettings(a=(0.2, 0.5, z / 10), scope="stack"), 256, BOTH)
        done()
    # statistics merged from those of the planes: float64 sums in another order
    expected = tn_weights(fluorescence, overlay._settings)[3]
    np.testing.assert_allclose(shown(viewer).data[0], expected, atol=1e-6)
    assert len(measured) == 1
    source.data = fluorescence * 2
    done()
    assert len(measured) == 2


def test_each_channel_is_measured(viewer, overlay, fluorescence, done):
    image = np.stack([fluorescence, 5 * fluorescence[::-1] + 40], axis=1)  # (Z, C, Y, X)
    overlay.choose(STACK, 256, BOTH)
    overlay.follow(viewer.add_image(image, axis_labels=("z", "c", "y", "x")))
    for channel in (0, 1):
        viewer.dims.set_point((0, 1), (2, channel))
        done()
        expected = tn_weights(image[:, channel], STACK)[2]
        np.testing.assert_allclose(shown(viewer).data[0, 0], expected, atol=1e-6)  # as above


def held_stack(fluorescence: np.ndarray, hold: Any) -> Any:
    """Return a stack (Z, Y, X) whose third plane takes as long as the test wants."""

    def slow(plane: np.ndarray) -> np.ndarray:
        return hold.hold(partial(np.asarray, plane))()

    blocks = [da.from_array(plane, chunks=-1)[None] for plane in fluorescence]
    blocks[2] = blocks[2].map_blocks(slow, dtype=fluorescence.dtype, meta=np.empty((0, 0, 0), fluorescence.dtype))
    return da.concatenate(blocks)


@pytest.fixture
def slow_source(viewer: Any, fluorescence: np.ndarray, hold: Any) -> Any:
    """A layer whose third plane takes as long as the test wants; the first is in view."""
    source = viewer.add_image(held_stack(fluorescence, hold), contrast_limits=(0, 900), name="slow")
    viewer.dims.set_point(0, 0)
    return source


@pytest.fixture
def measuring(overlay: WeightsOverlay, slow_source: Any, hold: Any) -> Any:
    """The slow layer while its stack is measured."""
    overlay.choose(STACK, 256, BOTH)
    overlay.follow(slow_source)
    hold.wait()
    return slow_source


def test_main_thread_goes_on_while_a_stack_is_measured(viewer, overlay, measuring, fluorescence, hold, done):
    assert overlay.is_busy
    assert names(viewer) == ["slow"]
    overlay.choose(WeightSettings(), 256, BOTH)  # the plane alone can be had at once
    viewer.dims.set_point(0, 1)
    hold.let()
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[1]))


def test_measurement_cancelled_in_the_activity_dock(viewer, overlay, measuring, hold, until):
    told = []
    overlay.unmeasured.connect(told.append)
    next(iter(progress._all_instances)).cancel()
    until(lambda: not overlay.is_busy)
    hold.let()
    assert names(viewer) == ["slow"]
    assert told == ["plane"]


@pytest.mark.parametrize("leave", ["close", "follow another", "delete", "new data"])
def test_measurement_is_given_up_when_it_is_not_wanted_any_more(
    viewer, overlay, measuring, fluorescence, hold, done, until, leave
):
    told = []
    overlay.unmeasured.connect(told.append)
    bars = len(progress._all_instances)
    if leave == "close":
        overlay.close()
    elif leave == "follow another":
        overlay.follow(viewer.add_image(fluorescence[0], name="other"))
    elif leave == "delete":
        viewer.layers.remove(measuring)
    else:
        measuring.data = fluorescence[:2]
    if leave in ("close", "delete"):
        assert not overlay.is_busy
        assert len(progress._all_instances) == bars - 1
    hold.let()
    done()
    expected = {
        "close": ["slow"],
        "follow another": ["slow", "other", "other TN weights", "other TN contours"],
        "delete": [],
        "new data": ["slow", "slow TN weights", "slow TN contours"],
    }
    assert names(viewer) == expected[leave]
    assert told == []  # the user has cancelled nothing


def test_of_many_views_of_a_slow_plane_the_first_and_the_last_are_computed(
    viewer, overlay, fluorescence, looks, hold, done, monkeypatch
):
    source = viewer.add_image(fluorescence)
    viewer.dims.set_point(0, 0)
    monkeypatch.setattr(weights_overlay, "look", hold.hold(weights_overlay.look))
    overlay.follow(source)
    hold.wait()
    for z in (1, 2, 1, 0, 2, 3):
        viewer.dims.set_point(0, z)
    for third in range(10):
        overlay.choose(WeightSettings(a=(0.2, 0.5, third / 10)), 256, BOTH)
    hold.let()
    done()
    assert [request.index for (request,) in hold.asked] == [(0,), (3,)]
    assert looks[-1].request.settings.a == (0.2, 0.5, 0.9)
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[3], looks[-1].request.settings))


@pytest.fixture
def looking(viewer: Any, overlay: WeightsOverlay, fluorescence: Any, hold: Any, monkeypatch: Any, done: Any) -> Any:
    """A layer whose plane is shown, while the next look at it is held up."""
    source = viewer.add_image(fluorescence, name="cells")
    overlay.follow(source)
    done()
    monkeypatch.setattr(weights_overlay, "look", hold.hold(weights_overlay.look))
    viewer.dims.set_point(0, 0)
    hold.wait()
    return source


@pytest.mark.parametrize("leave", ["close", "none", "delete", "delete all", "delete selected"])
def test_late_answers_bring_no_layer_back(viewer, overlay, looking, hold, until, qtbot, leave):
    if leave == "close":
        overlay.close()
    elif leave == "none":
        overlay.follow(None)
    elif leave == "delete":
        viewer.layers.remove(looking)
    elif leave == "delete all":
        viewer.layers.clear()
    else:  # with its overlay
        viewer.layers.selection = set(viewer.layers)
        viewer.layers.remove_selected()
    hold.let()
    until(lambda: not overlay.is_busy)
    qtbot.wait(50)  # for what would still be under way
    assert names(viewer) == (["cells"] if leave in ("close", "none") else [])


def test_source_renamed_is_the_same_source(viewer, overlay, looking, fluorescence, hold, done):
    looking.name = "renamed"
    hold.let()
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[0]))
    assert len(viewer.layers) == 3


def test_deleted_overlay_is_told_and_stays_away(viewer, overlay, fluorescence, done, until):
    removed = []
    overlay.removed.connect(removed.append)
    overlay.follow(viewer.add_image(fluorescence, name="cells"))
    done()
    viewer.layers.remove("cells TN weights")
    until(lambda: bool(removed))
    assert removed == ["weights"]
    overlay.follow(None)
    assert names(viewer) == ["cells"]
    assert removed == ["weights"]  # what the overlay takes away itself was not deleted by the user


def test_all_listeners_are_let_go(viewer, fluorescence, until):
    def callbacks() -> int:
        emitters = (
            viewer.dims.events.point,
            camera_of(viewer).events.center,
            viewer.layers.events.removed,
            *(source.events[name] for name in ("data", "scale", "translate", "affine", "units", "axis_labels")),
        )
        return sum(len(emitter.callbacks) for emitter in emitters)

    source = viewer.add_image(fluorescence)
    before = callbacks()
    overlay = WeightsOverlay(viewer)
    overlay.follow(source)
    assert callbacks() > before
    until(lambda: not overlay.is_busy)
    overlay.close()
    assert callbacks() == before


def test_failure_is_told_and_the_next_view_shown(viewer, overlay, fluorescence, done, until):
    def broken(block: np.ndarray) -> np.ndarray:
        raise OSError("the disk is gone")

    failed = []
    overlay.failed.connect(failed.append)
    good = da.from_array(fluorescence[:1], chunks=-1)
    bad = da.from_array(fluorescence[1:2], chunks=-1).map_blocks(broken, dtype=np.uint16, meta=np.empty((0, 0, 0)))
    source = viewer.add_image(fluorescence[:2])
    viewer.dims.set_point(0, 0)
    overlay.follow(source)
    done()
    overlay._stack = type(overlay._stack)(da.concatenate([good, bad]), "ZYX")  # napari itself would fail to draw it
    overlay._known = None
    viewer.dims.set_point(0, 1)
    until(lambda: bool(failed))
    assert str(failed[0]) == "the disk is gone"
    viewer.dims.set_point(0, 0)
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(fluorescence[0]))


def test_pixels_changed_in_place_are_weighed_anew(viewer, overlay, fluorescence, done):
    source = viewer.add_image(fluorescence.copy())
    overlay.follow(source)
    done()
    source.data[:] = source.data[::-1, ::-1].copy()
    source.refresh()
    done()
    np.testing.assert_array_equal(shown(viewer).data[0], tn_weights(source.data[int(viewer.dims.point[0])]))


def test_what_was_looked_at_stays_while_something_else_is_in_view(viewer, overlay, fluorescence, looks, done):
    overlay.follow(viewer.add_image(fluorescence))
    viewer.dims.set_point(0, 1)
    done()
    overlay.hold(True)
    viewer.dims.set_point(0, 3)
    overlay.choose(ODD, 256, BOTH)  # the settings are followed all the same
    done()
    assert (looks[-1].request.index, looks[-1].request.settings) == ((1,), ODD)
    overlay.hold(False)
    done()
    assert looks[-1].request.index == (3,)
