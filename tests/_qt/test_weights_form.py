"""The form of the weight map: an editor of one typed value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mitostain._qt.weights_form import WeightsForm
from napari_mitostain.config import WeightSettings

ODD = WeightSettings(a=(0.333, -0.125, 0.0), b=(0.017, 0.5, 0.999), sigmas=(0.123, 2.875), scope="stack")


@pytest.fixture
def form(qtbot: Any) -> WeightsForm:
    form = WeightsForm()
    qtbot.addWidget(form)
    return form


@pytest.fixture
def told(form: WeightsForm) -> list[WeightSettings]:
    told: list[WeightSettings] = []
    form.valueChanged.connect(told.append)
    return told


def test_form_begins_with_the_papers(form):
    assert form.value() == WeightSettings()


@pytest.mark.parametrize(
    "chosen",
    [
        ODD,
        WeightSettings(a=(-3.0, 7.5, 100.0), b=(-2.0, 40.0, 3.25), sigmas=(-4.0, 12.5)),  # beyond the sliders
        WeightSettings(sigmas=(1.0, 1.001)),
    ],
    ids=["odd", "beyond", "close"],
)
def test_value_goes_in_and_comes_out(form, told, chosen):
    form.setValue(chosen)
    assert form.value() == chosen
    assert told == [chosen]
    form.setValue(WeightSettings())
    assert form.value() == WeightSettings()


number = st.floats(-50, 50)
three = st.tuples(number, number, number)


@given(
    chosen=st.builds(
        WeightSettings,
        three,
        three,
        st.tuples(number, number).filter(lambda both: both[1] - both[0] >= 1e-6),
        st.sampled_from(["patch", "plane", "stack"]),
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_are_settings_goes_in_and_comes_out(form, chosen):
    form.setValue(chosen)
    assert form.value() == chosen


def test_each_slider_tells_the_settings_once(form, told):
    for change, slider in ((0.25, form._a[1]), (0.75, form._b[2]), (0.5, form._sigmas[0]), (4.0, form._sigmas[1])):
        slider.setValue(change)
        assert told.pop() == form.value()
        assert told == []
    assert form.value() == WeightSettings((0.2, 0.25, 0.3), (0.0, 0.2, 0.75), (0.5, 4.0))


def test_scope_is_told(form, told):
    form._scope.setCurrentIndex(form._scope.findText("the whole stack"))
    assert told == [WeightSettings(scope="stack")]


@pytest.mark.parametrize(("which", "place"), [(0, 4.0), (0, 6.0), (1, 0.5), (1, 0.0)])
def test_a_slider_pushes_the_other_threshold_before_it(form, told, which, place):
    form._sigmas[which].setValue(place)
    first, second = form.value().sigmas
    assert first < second
    assert abs(form.value().sigmas[which] - place) <= 0.05  # it gives way by the gap where the other is at its end
    assert told[-1] == form.value()


@pytest.mark.parametrize("wanted", [(2.0, 2.5), (-1.0, 9.0), (5.0, 3.0), (3.0, 3.0)])
def test_dragged_thresholds_are_taken_in_order(form, told, wanted):
    form.setValue(ODD)
    told.clear()
    form.set_sigmas(*wanted)
    first, second = form.value().sigmas
    assert first < second
    if wanted[0] < wanted[1]:
        assert (first, second) == wanted
    assert told == [form.value()]
    assert form.value() == replace(ODD, sigmas=(first, second))


def test_reset_gives_the_papers_with_the_scope_at_hand(form, told):
    form.setValue(ODD)
    form._reset.click()
    assert form.value() == told[-1] == WeightSettings(scope="stack")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (WeightSettings(a=(0.1, 0.5, 0.3)), ["jump at M1"]),
        (WeightSettings(a=(0.2, 0.5, -0.3)), ["fall"]),
        (WeightSettings(a=(0.2, 0.7, 0.3)), ["jump at M2", "fall"]),
        (WeightSettings(a=(0.2, 0.5, 0.5)), ["outside 0 to 1"]),
    ],
)
def test_unusual_maps_are_warned_of_and_taken(form, chosen, words):
    assert form._concerns.isHidden()
    form.setValue(chosen)
    assert not form._concerns.isHidden()
    assert len(form._concerns.text().splitlines()) == len(words)
    for word in words:
        assert word in form._concerns.text()
    assert form.value() == chosen
    form._reset.click()
    assert form._concerns.isHidden()
