"""Layers that hold one plane of a source, and follow it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_mitostain._qt.layers import layer_stack
from napari_mitostain._qt.plane_layers import Place, PlaneLayers

MICROSCOPE = {
    "name": "cells",
    "scale": (2, 0.5, 0.1, 0.2),
    "translate": (1, 3, 20, 30),
    "rotate": 30,
    "shear": [0.0, 0.0, 0.0, 0.0, 0.0, 0.3],  # within the plane: napari shows no other
    "units": ("s", "um", "um", "um"),
    "axis_labels": ("t", "z", "y", "x"),
    "affine": np.array([[1, 0, 0, 0, 5], [0, 1, 0, 0, 2], [0, 0, 1, 0.2, 7], [0, 0, 0.1, 1, 0], [0, 0, 0, 0, 1.0]]),
}


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()  # these layers need no window


@pytest.fixture
def layers(viewer: ViewerModel) -> PlaneLayers:
    return PlaneLayers(viewer)


def place_of(source: Image, index: tuple[int, ...]) -> Place:
    return Place(source, layer_stack(source), index)


def source_of(viewer: ViewerModel, shape: tuple[int, ...] = (3, 5, 6, 7), **options: Any) -> Any:
    return viewer.add_image(np.zeros(shape), **options)


def plane(value: float = 0, shape: tuple[int, int] = (6, 7)) -> np.ndarray:
    return (np.arange(np.prod(shape), dtype=np.float32) + value).reshape(shape)


show = partial(Image, name="shown")


def test_plane_lies_where_the_source_has_it(viewer, layers):
    source = source_of(viewer, **MICROSCOPE)
    layer = layers.put("w", plane(), place_of(source, (2, 3)), show, {})
    np.testing.assert_array_equal(layer.data, plane()[None, None])
    for row, column in ((0, 0), (5, 6), (2, 4)):
        np.testing.assert_allclose(
            layer.data_to_world((0, 0, row, column)), source.data_to_world((2, 3, row, column)), atol=1e-9
        )
    assert (layer.units, layer.axis_labels) == (source.units, source.axis_labels)


def test_layer_follows_from_plane_to_plane(viewer, layers):
    source = source_of(viewer, **MICROSCOPE)
    first = layers.put("w", plane(), place_of(source, (0, 0)), show, {})
    second = layers.put("w", plane(9), place_of(source, (1, 4)), show, {})
    assert second is first
    assert [layer.name for layer in viewer.layers] == ["cells", "shown"]
    np.testing.assert_array_equal(first.data[0, 0], plane(9))
    np.testing.assert_allclose(first.data_to_world((0, 0, 2, 3)), source.data_to_world((1, 4, 2, 3)), atol=1e-9)


def test_layer_follows_its_source_when_that_is_moved(viewer, layers):
    source = source_of(viewer)
    layer = layers.put("w", plane(), place_of(source, (1, 1)), show, {})
    for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
        setattr(source, name, MICROSCOPE[name])
        layers.put("w", plane(), place_of(source, (1, 1)), show, {})
        np.testing.assert_allclose(
            layer.data_to_world((0, 0, 3, 2)), source.data_to_world((1, 1, 3, 2)), atol=1e-9, err_msg=name
        )
    assert (layer.units, layer.axis_labels) == (source.units, source.axis_labels)


def test_x_before_y(viewer, layers):
    source = source_of(viewer, (7, 4, 6), axis_labels=("x", "z", "y"), scale=(0.1, 2, 0.3))
    layer = layers.put("w", plane(), place_of(source, (3,)), show, {})
    assert layer.data.shape == (7, 1, 6)
    np.testing.assert_array_equal(layer.data[:, 0], plane().T)
    np.testing.assert_allclose(layer.data_to_world((6, 0, 5)), source.data_to_world((6, 3, 5)))


def test_another_size_or_type_makes_the_layer_anew(viewer, layers):
    source = source_of(viewer, (6, 7))
    first = layers.put("w", plane(), place_of(source, ()), show, {})
    other = source_of(viewer, (8, 9))
    second = layers.put("w", plane(0, (8, 9)), place_of(other, ()), show, {})
    third = layers.put("w", plane(0, (8, 9)).astype(np.float64), place_of(other, ()), show, {})
    assert len({first, second, third}) == 3
    assert [*viewer.layers] == [source, other, third]
    assert third.data.dtype == np.float64


def test_the_layer_at_hand_stays_the_active_one(viewer, layers):
    source = source_of(viewer)
    layers.put("w", plane(), place_of(source, (0, 0)), show, {})
    assert viewer.layers.selection.active is source


def test_layer_says_what_it_is(viewer, layers):
    source = source_of(viewer)
    layer = layers.put("w", plane(), place_of(source, (0, 0)), partial(show, metadata={"own": 1}), {"settings": 5})
    origin = {"result": "w", "source_layer": str(source.unique_id)}
    told = layer.metadata["mitostain"]
    assert (layer.metadata["own"], {**told, **origin, "settings": 5}) == (1, told)
    layers.put("w", plane(), place_of(source, (0, 1)), show, {"settings": 6})
    told = layer.metadata["mitostain"]
    assert (layer.metadata["own"], {**told, **origin, "settings": 6}) == (1, told)


def test_labels_are_drawn_anew(viewer, layers):
    source = source_of(viewer)
    viewer.dims.set_point((0, 1), (0, 0))
    for value in (1, 2):
        numbers = np.full((6, 7), value, np.uint8)
        layer = layers.put("c", numbers, place_of(source, (0, 0)), Labels, {})
        assert layer.get_value((0, 0, 3, 3)) == value
    assert len(viewer.layers) == 2


def test_removing_takes_away_the_kinds_named_or_all(viewer, layers):
    source = source_of(viewer)
    for kind in "abc":
        layers.put(kind, plane(), place_of(source, (0, 0)), partial(Image, name=kind), {})
    layers.remove("b", "unknown")
    assert [layer.name for layer in viewer.layers[1:]] == ["a", "c"]
    viewer.layers.remove("a")  # by the user
    layers.remove()
    assert [*viewer.layers] == [source]
    assert not layers


def test_deleted_layers_are_forgotten_and_made_anew(viewer, layers):
    source = source_of(viewer)
    first = layers.put("w", plane(), place_of(source, (0, 0)), show, {})
    assert layers
    viewer.layers.remove(first)
    assert not layers  # nothing is shown
    assert layers.forget(first) == "w"
    assert layers.forget(source) is None
    second = layers.put("w", plane(), place_of(source, (0, 0)), show, {})
    viewer.layers.remove(second)
    layers.forget_deleted()
    assert layers.put("w", plane(), place_of(source, (0, 0)), show, {}) in viewer.layers


def test_layer_says_what_it_is_from_the_moment_it_is_in_the_list(viewer, layers):
    source = source_of(viewer, (6, 7))
    told = []
    viewer.layers.events.inserted.connect(lambda event: told.append(event.value.metadata["mitostain"]["result"]))
    layers.put("weights", np.ones((6, 7)), place_of(source, ()), Image, {})
    assert told == ["weights"]
