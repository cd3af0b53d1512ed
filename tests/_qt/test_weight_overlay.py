"""The command "TN weight map", run as the menu runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model

from napari_mitostain import tn_weights
from napari_mitostain._qt import weight_overlay


@pytest.fixture
def weigh(viewer: Any, until: Any) -> Any:
    def weigh() -> None:
        get_app_model().commands.execute_command("napari-mitostain.tn_weight_map")
        until(lambda: not weight_overlay._alive)

    return weigh


def test_weights_are_the_loss_own(viewer, weigh, cells):
    source = viewer.add_image(cells, name="mito", scale=(1, 0.2, 0.2), rotate=10, units="um")
    weigh()
    result = viewer.layers["mito TN weights"]
    np.testing.assert_array_equal(result.data, np.stack([tn_weights(plane) for plane in cells]))
    np.testing.assert_allclose(result.data_to_world((1, 2, 3)), source.data_to_world((1, 2, 3)))
    assert (result.units, 0 < result.opacity < 1) == (source.units, True)
    assert "threshold-normalised" in result.metadata["mitostain"]["description"]


def test_channels_are_weighed_each(viewer, weigh, cells):
    image = cells[:4].reshape(2, 2, 70, 61)
    viewer.add_image(image, axis_labels=("c", "z", "y", "x"), name="mito")
    weigh()
    expected = np.stack([tn_weights(plane) for plane in cells[:4]]).reshape(image.shape)
    np.testing.assert_array_equal(viewer.layers[-1].data, expected)


def test_second_call_replaces_the_first(viewer, weigh, cells):
    source = viewer.add_image(cells, name="mito")
    weigh()
    source.data = cells[::-1].copy()
    weigh()
    assert [layer.name for layer in viewer.layers] == ["mito", "mito TN weights"]
    np.testing.assert_array_equal(viewer.layers[1].data[0], tn_weights(cells[-1]))


@pytest.mark.parametrize("add", [lambda _: None, lambda v: v.add_points(np.zeros((1, 2)))])
def test_no_image_selected(viewer, weigh, notifications, add):
    add(viewer)
    weigh()
    assert "click a fluorescence image" in notifications[-1].message


def test_result_deleted_in_mid_run(viewer, cells, until, monkeypatch):
    import threading

    from napari_mitostain import weighing

    release, weigh_stack = threading.Event(), weighing.weigh_stack

    def held(*arguments, **options):
        for event in weigh_stack(*arguments, **options):
            yield event
            release.wait(30)

    monkeypatch.setattr(weighing, "weigh_stack", held)
    viewer.add_image(cells, name="mito")
    overlay = weight_overlay.weigh_selected_layer(viewer)
    until(lambda: bool(viewer.layers[1].data.any()))
    viewer.layers.remove("mito TN weights")
    assert not overlay.runner.is_running
    release.set()
    assert not weight_overlay._alive
