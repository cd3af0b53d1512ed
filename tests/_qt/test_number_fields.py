"""Fields of numbers."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtGui import QValidator

from napari_mitostain._qt.length_field import LengthField
from napari_mitostain._qt.number_fields import RateBox, SideBox
from napari_mitostain.config import TrainSettings


def test_rate_doubles_and_halves(qtbot: Any):
    box = RateBox(1e-6, 1.0, "off")
    qtbot.addWidget(box)
    assert [box.value(), box.text()] == [0, "off"]
    box.stepBy(1)
    assert box.value() == 1e-6
    box.stepBy(1)
    assert box.value() == 2e-6
    box.stepBy(-2)
    assert [box.value(), box.text()] == [0, "off"]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("1e-3", "Acceptable"),
        ("1e-", "Intermediate"),
        ("", "Intermediate"),
        ("7", "Intermediate"),
        ("0,5", "Acceptable"),
    ],
)
def test_rate_is_checked_as_it_is_typed(qtbot: Any, text: str, state: str):
    box = RateBox(1e-6, 1.0)
    qtbot.addWidget(box)
    assert box.validate(text, 0)[0] == getattr(QValidator.State, state)


def test_side_is_a_multiple_of_its_stride(qtbot: Any):
    box = SideBox(16)
    qtbot.addWidget(box)
    for typed, side in (("100", 96), ("38", 32), ("120 px", 128)):
        box.lineEdit().setText(typed)
        box.interpretText()
        assert box.value() == side
    box.set_stride(4)
    box.setValue(20)
    assert box.value() == 20


def test_each_unit_of_a_length_keeps_its_number(qtbot: Any):
    field = LengthField()
    qtbot.addWidget(field)
    settings = TrainSettings(epochs=7)
    field.setValue(settings)
    field.unit.setCurrentText("minutes")
    field.number.setValue(2.5)
    assert field.in_settings(settings) == TrainSettings(minutes=2.5)
    field.unit.setCurrentText("epochs")
    assert field.in_settings(settings) == settings
