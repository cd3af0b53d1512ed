"""The form of a run: an editor of one typed value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mitostain._qt.tune_form import TuneForm, suggested_name
from napari_mitostain._qt.tune_request import LayerChoice, PairsChoice, TuneRequest
from napari_mitostain.config import TrainSettings, WeightSettings
from napari_mitostain.training.presets import PRESETS


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()  # a form needs the layers alone


@pytest.fixture
def form(viewer: ViewerModel, small_model: Any, qtbot: Any) -> TuneForm:
    viewer.add_image(np.zeros((4, 8, 8)), name="mitochondria")
    viewer.add_image(np.zeros((2, 4, 8, 8)), name="cells", axis_labels=("c", "z", "y", "x"))
    form = TuneForm(viewer)
    qtbot.addWidget(form)
    viewer.layers.events.inserted.connect(form.reset_choices)
    viewer.layers.events.removed.connect(form.reset_choices)
    return form


SETTINGS = TrainSettings(
    minutes=2.5,
    batch_size=2,
    patch=32,
    depth=2,
    base_channels=4,
    crops_per_frame=3,
    learning_rate=3e-7,
    clip_gradients=0.5,
    ema=0.9995,
    generator_loss="l1",
    weighting=WeightSettings(sigmas=(0.5, 2.0), scope="plane"),
    discriminator="patchgan",
    discriminator_loss="dice-bce",
    weight_adversarial=0.3,
    weight_l1=70,
    weight_correlation=0.4,
    holdout=("a", "b c"),
    seed=7,
    device="cpu",
    precision="float32",
    turns=False,
    pixel_size_um=0.108,
)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, minutes=None, epochs=3, holdout=(), clip_gradients=None, ema=0.0),
        replace(SETTINGS, discriminator_loss="none", holdout=None, weight_adversarial=0.0, weight_l1=0.0),
        *[preset.settings for preset in PRESETS.values()],
    ],
)
def test_value_goes_in_and_comes_out(viewer, form, settings):
    told: list[TuneRequest] = []
    form.valueChanged.connect(told.append)
    pairs = PairsChoice(
        source="two",
        brightfield=LayerChoice(viewer.layers["cells"], 0, 1),
        mitochondria=LayerChoice(viewer.layers["cells"], 1, 2),
        folder="/a",
        brightfield_folder="/b/brightfield",
        mitochondria_folder="/c",
        brightfield_channel=2,
        shifts={"cells": (3, -4)},
        skip_unreadable=True,
    )
    request = TuneRequest(pairs, "small", "thorough", settings, "heart", "/runs")
    form.setValue(request)
    assert form.value() == request
    assert told[-1] == request
    form.setValue(replace(request, model="", pairs=PairsChoice(brightfield=LayerChoice(viewer.layers["cells"], 0, 0))))
    assert form.value().model == ""


def test_defaults_are_those_of_the_first_preset_and_layers_are_guessed_by_their_names(viewer, form):
    request = form.value()
    assert [request.preset, request.settings] == ["quick", PRESETS["quick"].settings]
    assert request.pairs.brightfield == LayerChoice(viewer.layers["cells"], 0, 0)
    assert request.pairs.mitochondria == LayerChoice(viewer.layers["mitochondria"])
    assert [request.model, request.name] == ["small", "cells tuned"]


def test_preset_brings_its_settings_and_says_what_it_is_for(form):
    form.more.device.ask("cpu")
    form.preset.setCurrentIndex(form.preset.findData("paper"))
    assert form.value().settings == replace(PRESETS["paper"].settings, device="cpu")
    assert "Somani" in form.about.text()


def test_name_follows_the_pairs_until_the_user_gives_one(viewer, form):
    form.pairs.source.setCurrentIndex(1)
    form.pairs.folder.setValue("/data/heart")
    assert form.value().name == "heart tuned"
    form.name.setText("mine")
    form.pairs.folder.setValue("/data/liver")
    assert form.value().name == "mine"


def test_name_after_a_long_one_can_be_that_of_a_folder_and_of_a_file_in_it(tmp_path):
    for letter in "x😀":  # a byte, and four
        pairs = PairsChoice(source="folder", folder=f"/data/{letter * 250}")
        name = suggested_name(pairs)
        assert name.startswith(letter)
        assert name.endswith(" tuned")
        (tmp_path / f"{name} 2.safetensors").write_bytes(b"")


def test_rows_are_those_of_the_chosen_source(form):
    def shown(widget: Any) -> bool:
        return not widget.isHidden()

    form.pairs.source.setCurrentIndex(0)
    assert [shown(form.pairs.layers["brightfield"].layer.native), shown(form.pairs.folder)] == [True, False]
    form.pairs.source.setCurrentIndex(2)
    assert [shown(form.pairs.layers["brightfield"].layer.native), shown(form.pairs.folders["mitochondria"])] == [
        False,
        True,
    ]
    assert shown(form.pairs.skip)


def test_shifts_add_up_and_go_with_their_pairs(viewer, form):
    form.pairs.shift("cells", (2, -1))
    form.pairs.shift("cells", (1, 0))
    assert form.value().pairs.shifts == {"cells": (3, -1)}
    assert "(3, -1)" in form.pairs.shifted.text()
    form.pairs.unshift.click()
    assert form.value().pairs.shifts == {}
    form.pairs.shift("cells", (2, -1))
    viewer.layers["cells"].data = np.ones((2, 4, 8, 8))
    assert form.value().pairs.shifts == {}


def test_side_of_a_patch_is_rounded_to_the_stride(form):
    form.more.patch.lineEdit().setText("250 px")
    form.more.patch.interpretText()
    assert form.value().settings.patch == 256


def test_rate_is_typed_as_people_write_it(form):
    form.more.rate.lineEdit().setText("2e-5")
    form.more.rate.interpretText()
    assert form.value().settings.learning_rate == 2e-5
    form.more.clip.lineEdit().setText("off")
    form.more.clip.interpretText()
    assert form.value().settings.clip_gradients is None


def test_form_without_a_model_or_layers(qtbot, monkeypatch):
    from napari_mitostain.model import library

    monkeypatch.setattr(library, "model_files", dict)
    form = TuneForm(ViewerModel())
    qtbot.addWidget(form)
    assert [form.value().model, form.value().name] == ["", ""]
    assert form.start.scratch.isChecked()


def test_layers_that_come_later_are_guessed_too(qtbot, small_model):
    viewer = ViewerModel()
    form = TuneForm(viewer)
    qtbot.addWidget(form)
    viewer.layers.events.inserted.connect(form.reset_choices)
    first = viewer.add_image(np.zeros((8, 8)), name="a")
    second = viewer.add_image(np.zeros((8, 8)), name="b")
    assert [form.value().pairs.brightfield.layer, form.value().pairs.mitochondria.layer] == [first, second]
    viewer.add_image(np.zeros((8, 8)), name="mito")
    assert form.value().pairs.mitochondria.layer is second  # what is chosen stays


def test_two_channels_of_one_layer_are_guessed(qtbot, small_model):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((2, 8, 8)), axis_labels=("c", "y", "x"))
    form = TuneForm(viewer)
    qtbot.addWidget(form)
    pairs = form.value().pairs
    assert [pairs.brightfield, pairs.mitochondria] == [LayerChoice(layer, 0, 0), LayerChoice(layer, 0, 1)]
