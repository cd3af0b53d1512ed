"""Between layers and stacks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.transforms._units import get_units_from_name

from napari_mitostain._qt.layers import (
    carried,
    channel_axes,
    from_view,
    guess_channel_axis,
    layer_axes,
    layer_pixel_size,
    layer_stack,
    middle_of_view,
    plane_in_view,
)
from napari_mitostain._qt.view_state import WorldPoint, camera_of
from napari_mitostain.errors import ImageError


@pytest.mark.parametrize(
    ("labels", "channel_axis", "axes"),
    [
        (("-2", "-1"), None, "YX"),
        (("-3", "-2", "-1"), None, "ZYX"),
        (("-4", "-3", "-2", "-1"), None, "TZYX"),
        (("-4", "-3", "-2", "-1"), 0, "CZYX"),
        (("-4", "-3", "-2", "-1"), 1, "ZCYX"),
        (("-5", "-4", "-3", "-2", "-1"), 1, "TCZYX"),
        (("time", "y", "x"), None, "TYX"),
        (("Z", "T", "Y", "X"), None, "ZTYX"),
        (("y", "x", "z"), None, "YXZ"),
        (("x", "y", "channel"), 2, "XYC"),
        (("channel", "y", "x"), None, "ZYX"),  # the user says that there are no channels
        (("angle", "z", "y", "x"), None, "TZYX"),
        (("z", "z", "y", "x"), None, "TZYX"),  # labels that contradict each other tell nothing
        (("frame", "row", "column"), None, "TYX"),
    ],
)
def test_axes(labels, channel_axis, axes):
    layer = Image(np.zeros((2, 3, 4, 5, 6)[: len(labels)]), axis_labels=labels)
    assert layer_axes(layer, channel_axis) == axes


def test_too_many_axes_are_refused():
    with pytest.raises(ImageError, match="choose the channel axis"):
        layer_axes(Image(np.zeros((1, 1, 1, 2, 2))), None)


@pytest.mark.parametrize("channel_axis", [None, 1])
def test_channel_axis_is_not_advised_where_it_does_not_help(channel_axis):
    with pytest.raises(ImageError, match="dimensions; take the part to stain out"):
        layer_axes(Image(np.zeros((1, 1, 1, 1, 2, 2))), channel_axis)


@pytest.mark.parametrize(
    ("labels", "guess"),
    [(("z", "c", "y", "x"), 1), (("-4", "-3", "-2", "-1"), None), (("-5", "-4", "-3", "-2", "-1"), None)],
)
def test_channel_axis_is_guessed(labels, guess):
    layer = Image(np.zeros((1, 2, 3, 4, 5)[: len(labels)]), axis_labels=labels)
    assert guess_channel_axis(layer) == guess


def test_channel_axes_are_named_for_people():
    assert channel_axes(Image(np.zeros((2, 3, 4, 5)))) == [("axis 0 (length 2)", 0), ("axis 1 (length 3)", 1)]
    assert channel_axes(Image(np.zeros((3, 4, 5)), axis_labels=("Ch", "y", "x"))) == [("Ch (length 3)", 0)]


@pytest.mark.parametrize(
    ("unit", "scale", "size"),
    [("um", 0.08, 0.08), ("nm", 80, 0.08), ("mm", 1e-4, 0.1), ("pixel", 0.08, None), ("s", 1, None), ("um", -2, 2)],
)
def test_pixel_size_follows_the_unit(unit, scale, size):
    layer = Image(np.zeros((4, 4)), scale=(scale, scale), units=(unit, unit))
    assert layer_pixel_size(layer) == (size if size is None else pytest.approx(size))
    assert layer_stack(layer).pixel_size == layer_pixel_size(layer)


def test_scale_of_every_axis():
    layer = Image(np.zeros((2, 2, 4, 4)), scale=(500, 0.3, 0.1, 0.1), units=("ms", "um", "um", "um"))
    assert layer_stack(layer).scale == pytest.approx({"T": 0.5, "Z": 0.3, "Y": 0.1, "X": 0.1})


def test_data_are_handed_on_untouched():
    for data in (np.zeros((3, 4)), da.zeros((3, 4)), zarr.zeros((3, 4))):
        assert layer_stack(Image(data, contrast_limits=(0, 1))).data is data


def test_rgb_is_refused():
    for shape in ((5, 5, 3), (2, 5, 5, 4)):
        with pytest.raises(ImageError, match="RGB"):
            layer_stack(Image(np.zeros(shape, np.uint8), rgb=True))


def test_plane_in_view_and_the_order_from_there():
    layer = Image(np.zeros((3, 5, 4, 4)), scale=(1, 2, 1, 1), translate=(0, 10, 0, 0))
    assert plane_in_view(layer, "TZYX", WorldPoint((2, 16, 0, 0))) == (2, 3)
    assert plane_in_view(layer, "TZYX", WorldPoint((99, -99, 0, 0))) == (2, 0)  # the nearest there is
    planes = [(t, z) for t in range(2) for z in range(3)]
    assert from_view(planes, (1, 1)) == [(1, 1), (1, 0), (1, 2), (0, 1), (0, 0), (0, 2)]


@pytest.mark.parametrize(
    ("units", "values"),
    [
        (("um", "um", "um"), (6, 0, 0)),
        (("nm", "nm", "nm"), (6000, 0, 0)),
        (("s", "nm", "nm", "nm"), (5, 6000, 0, 0)),  # the axis of another layer before its own
        (("pixel", "pixel", "pixel"), (6, 0, 0)),  # these were the viewer's until the layer was given its own
        (None, (6, 0, 0)),  # the viewer's layers contradict each other
        (("um", "um"), (6, 0, 0)),  # of a viewer that is about to have another axis
    ],
)
def test_plane_at_a_point_in_units_of_the_viewer(units, values):
    layer = Image(np.zeros((5, 4, 4)), scale=(2, 1, 1), units="um")
    units = None if units is None else tuple(get_units_from_name(units))
    assert plane_in_view(layer, "ZYX", WorldPoint(values, units)) == (3,)


def test_middle_of_a_view_in_other_units():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 40, 40)), scale=(2, 0.5, 0.1), units="um")
    camera_of(viewer).center = (0, 10, 3)
    assert middle_of_view(viewer, layer, "ZYX") == (20, 30)
    camera_of(viewer).center = (0, -10, 300)
    assert middle_of_view(viewer, layer, "ZYX") == (0, 39)  # the nearest there is
    if not hasattr(viewer.dims, "units"):
        pytest.skip("before 0.9 napari has each layer in its own units")
    viewer.layers.units = ("nm", "nm", "nm")
    camera_of(viewer).center = (0, 10_000, 3000)
    assert middle_of_view(viewer, layer, "ZYX") == (20, 30)


def test_transforms_lead_from_the_result_to_its_source():
    affine = np.array([[1, 0, 0, 5], [0, 1, 0.1, 0], [0, 0, 1, 7], [0, 0, 0, 1.0]])
    layer = Image(
        np.zeros((3, 4, 5)), scale=(2, 3, 4), translate=(1, 2, 3), rotate=40, shear=[0, 0, 0.3], affine=affine
    )
    result = Image(np.zeros((1, 4, 5)), **carried(layer, (2, 0, 0)))
    np.testing.assert_allclose(result.data_to_world((0, 3, 1)), layer.data_to_world((2, 3, 1)))
