"""The form: an editor of one typed value."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mitostain._qt.stain_form import StainForm
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain.config import StainSettings
from napari_mitostain.model import device


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()  # a form needs the layers alone


@pytest.fixture
def form(viewer: ViewerModel, small_model: Any, qtbot: Any) -> StainForm:
    viewer.add_image(np.zeros((2, 3, 8, 8)), name="first")
    viewer.add_image(np.zeros((8, 8)), name="second")
    form = StainForm(viewer)
    qtbot.addWidget(form)
    viewer.layers.events.inserted.connect(form.reset_choices)
    viewer.layers.events.removed.connect(form.reset_choices)
    viewer.layers.events.renamed.connect(form.reset_choices)
    return form


def test_value_goes_in_and_comes_out(viewer, form):
    told: list[StainRequest] = []
    form.valueChanged.connect(told.append)
    form.show_pixel_note("", offer_resampling=True)
    settings = StainSettings(device="cpu", precision="float32", tile=300, resample=True)
    request = StainRequest(viewer.layers["first"], 1, 2, "small", "view", "add", settings)
    form.setValue(request)
    assert form.value() == request
    assert told == [request]


def test_defaults(viewer, form):
    assert form.value() == StainRequest(viewer.layers["second"], model="small")


def test_rows_follow_the_layer(viewer, form):
    hidden = [field.native.isHidden() for field in (form._axis, form._channel, form._planes)]
    assert hidden == [True, True, True]
    form._layer.value = viewer.layers["first"]
    hidden = [field.native.isHidden() for field in (form._axis, form._channel, form._planes)]
    assert hidden == [False, True, False]
    form._axis.value = 0
    assert [form._channel.native.isHidden(), form._channel.max] == [False, 1]


def test_renamed_layer_stays_chosen(viewer, form):
    viewer.layers["second"].name = "renamed"
    assert form.value().layer is viewer.layers["renamed"]
    assert form._layer.current_choice == "renamed"


def test_removed_layer_gives_way(viewer, form):
    told: list[StainRequest] = []
    form.valueChanged.connect(told.append)
    viewer.layers.remove("second")
    assert form.value().layer is viewer.layers["first"]
    assert told[-1].layer is viewer.layers["first"]
    viewer.layers.clear()
    assert form.value().layer is None


def test_brightfield_that_comes_after_fluorescence_is_chosen(viewer, form):
    viewer.layers.clear()
    fluorescence = viewer.add_image(np.zeros((9, 9)), name="mitochondria")
    assert form.value().layer is fluorescence  # there is no other
    viewer.add_points([[1, 2]], name="marks")
    brightfield = viewer.add_image(np.zeros((9, 9)), name="cells")
    assert form.value().layer is brightfield
    viewer.add_image(np.zeros((9, 9)), name="other cells")
    assert form.value().layer is brightfield


def test_form_is_opened_before_an_image_comes(small_model, qtbot):
    viewer = ViewerModel()
    form = StainForm(viewer)
    qtbot.addWidget(form)
    assert form.value().layer is None
    for name in ("mitochondria", "cells"):
        layer = viewer.add_image(np.zeros((9, 9)), name=name)
        form.reset_choices()
    assert form.value().layer is layer


@pytest.mark.parametrize("how", ["by hand", "by value", "stained"])
def test_layer_that_the_user_has_chosen_stays(viewer, form, how):
    viewer.layers.clear()
    chosen = viewer.add_image(np.zeros((9, 9)), name="mitochondria in brightfield")
    if how == "by hand":
        form._layer.native.activated.emit(0)
    elif how == "by value":
        form.setValue(form.value())
    else:
        form.keep_layer()
    viewer.add_image(np.zeros((9, 9)), name="cells")
    assert form.value().layer is chosen


def test_results_are_no_candidates(viewer, form):
    viewer.add_image(np.zeros((8, 8)), name="stain", metadata={"mitostain": {}})
    viewer.add_points(np.zeros((1, 2)))
    assert [layer.name for layer in form._layer.choices] == ["first", "second"]


def test_new_data_of_the_chosen_layer_are_noticed(viewer, form):
    viewer.layers["second"].data = np.zeros((4, 8, 8))
    assert not form._planes.native.isHidden()
    form._axis.value = 0
    assert form._channel.max == 3


@pytest.fixture
def channels(viewer: ViewerModel, form: StainForm) -> Any:
    """A layer (C, Z, Y, X) that is chosen, and its channel 2 too."""
    layer = viewer.add_image(np.zeros((3, 4, 8, 8)), axis_labels=("c", "z", "y", "x"), name="channels")
    form._layer.value = layer
    form._channel.value = 2
    assert [form.value().channel_axis, form.value().channel] == [0, 2]
    return layer


@pytest.mark.parametrize(("count", "channel"), [(5, 2), (2, 1)])
def test_channel_axis_stays_when_the_count_of_channels_changes(form, channels, count, channel):
    channels.data = np.zeros((count, 4, 8, 8))
    assert [form.value().channel_axis, form.value().channel] == [0, channel]


def test_channel_axis_stays_when_it_is_relabelled(form, channels):
    channels.axis_labels = ("wavelength", "z", "y", "x")
    assert [form.value().channel_axis, form.value().channel] == [0, 2]


def test_channel_axis_stays_when_the_layer_is_renamed(form, channels):
    form._axis.value = 1  # not what would be guessed
    channels.name = "other"
    assert [form.value().layer, form.value().channel_axis] == [channels, 1]


def test_channel_axis_is_guessed_anew_when_it_is_gone(form, channels):
    form._axis.value = 1
    channels.axis_labels = ("c", "y", "x", "z")
    assert form.value().channel_axis == 0


def test_resampling_is_not_asked_for_where_it_is_not_offered(form):
    form.show_pixel_note("", offer_resampling=True)
    form._resample.value = True
    form.show_pixel_note("", offer_resampling=False)
    assert not form.value().settings.resample
    form.show_pixel_note("", offer_resampling=True)
    assert form.value().settings.resample


def test_model_of_a_file_goes_in_and_comes_out(form, own_model):
    form.setValue(replace(form.value(), model=own_model))
    assert form.value().model == own_model
    form.reset_choices()
    assert form.value().model == own_model


def test_model_that_was_added_meanwhile_is_offered(form, tmp_path):
    for suffix in (".json", ".safetensors"):
        (tmp_path / "models" / f"other{suffix}").write_bytes((tmp_path / "models" / f"small{suffix}").read_bytes())
    form.reset_choices()
    assert form._model._models.choices == ("other", "small")
    assert form.value().model == "small"


def test_devices_come_from_a_job(form, monkeypatch):
    """To ask torch would wait for its import, which a job may be in the middle of."""
    monkeypatch.setattr(device, "available_devices", lambda: pytest.fail("the form asked torch"))
    form.reset_choices()
    assert form._device.choices == ("auto", "cpu")  # what is sure to be there
    form._device.value = "cpu"
    form.show_devices(("mps", "cpu"))
    assert form._device.choices == ("auto", "mps", "cpu")
    assert [form._device.native.itemText(0), form.value().settings.device] == ["auto (mps)", "cpu"]


@pytest.mark.parametrize("known", [(), ("cpu",)])
def test_device_that_is_not_known_of_goes_in_and_comes_out(form, known):
    """As one that was saved on another machine: the job says that it is not there."""
    form.show_devices(known)
    request = replace(form.value(), settings=StainSettings(device="cuda"))
    form.setValue(request)
    assert form.value() == request
    assert form._device.choices == ("auto", "cpu", "cuda")


@pytest.mark.parametrize(("there", "chosen"), [(("cuda", "cpu"), "cuda"), (("cpu",), "auto")])
def test_asked_device_stays_if_it_is_there(form, there, chosen):
    form.setValue(replace(form.value(), settings=StainSettings(device="cuda")))
    told: list[StainRequest] = []
    form.valueChanged.connect(told.append)
    form.show_devices(there)
    assert form.value().settings.device == chosen
    assert form._device.choices == ("auto", *there)
    assert len(told) == (chosen != "cuda")


def test_offer_to_resample_that_changes_the_request_is_told(form):
    form.show_pixel_note("", offer_resampling=True)
    form._resample.value = True
    form.show_pixel_note("", offer_resampling=False)
    told: list[StainRequest] = []
    form.valueChanged.connect(told.append)
    form.show_pixel_note("", offer_resampling=True)
    assert [request.settings.resample for request in told] == [True]


@pytest.mark.parametrize("change", [{"data": np.zeros((8, 8), bool)}, {"axis_labels": ("y", "x")}])
def test_what_becomes_of_the_chosen_layer_is_told(viewer, form, change):
    told: list[StainRequest] = []
    form.valueChanged.connect(told.append)
    for name, value in change.items():
        setattr(viewer.layers["second"], name, value)
    assert told == [form.value()]


def test_widget_opens_without_loading_torch():
    opened = "napari_mitostain._qt.stain_widget, napari_mitostain.model.library"
    subprocess.run([sys.executable, "-c", f"import sys, {opened}; assert 'torch' not in sys.modules"], check=True)
