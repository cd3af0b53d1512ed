"""Models that are installed, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_mitostain._qt.model_field import ModelField
from napari_mitostain.errors import ModelError


@pytest.fixture
def field(small_model: Any, qtbot: Any) -> ModelField:
    field = ModelField()
    qtbot.addWidget(field)
    return field


@pytest.fixture
def choose(field: ModelField, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Press the button and choose a file in the dialog, or none; returns the folder in which the dialog opens."""

    def choose(path: str) -> str:
        opened = []
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *given: (opened.append(given[2]), (path, ""))[1])
        field._button.click()
        return opened[0]

    return choose


def shown(field: ModelField) -> list[str]:
    box = field._models.native
    return [box.itemText(i) for i in range(box.count())]


def test_file_is_offered_under_the_name_on_its_card(field, choose, own_model):
    told: list[str] = []
    field.valueChanged.connect(told.append)
    choose(own_model)
    assert [field.value(), told, shown(field)] == [own_model, [own_model], ["small", "heart"]]
    field.setValue("small")
    assert shown(field) == ["small", "heart"]  # it can be taken up again
    choose(own_model)
    assert [field.value(), shown(field)] == [own_model, ["small", "heart"]]


def test_dialog_opens_where_the_chosen_file_is(field, choose, own_model):
    assert choose(own_model) == ""
    assert choose("") == str(Path(own_model).parent)
    assert field.value() == own_model  # the dialog was left


def test_file_of_an_installed_models_name_is_another_choice(field, choose, tmp_path):
    copy = tmp_path / "copy" / "small.safetensors"
    copy.parent.mkdir()
    for suffix in (".safetensors", ".json"):
        copy.with_suffix(suffix).write_bytes((tmp_path / "models" / "small").with_suffix(suffix).read_bytes())
    choose(str(copy))
    assert field.value() == str(copy)
    assert shown(field) == ["small", f"small ({copy})"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alone.safetensors", "Expected the card alone.json"),
        ("gone.safetensors", "which does not exist"),
        ("weights.pt", "never unpickled"),
        ("notes.txt", "Expected a model among small"),
    ],
)
def test_bad_file_is_explained_and_changes_nothing(field, choose, notifications, tmp_path, name, message):
    (tmp_path / "alone.safetensors").write_bytes(b"")
    told: list[str] = []
    field.valueChanged.connect(told.append)
    choose(str(tmp_path / name))
    assert message in notifications[-1].message
    assert [field.value(), told, shown(field)] == ["small", [], ["small"]]
    with pytest.raises(ModelError, match=message):
        field.setValue(str(tmp_path / name))


def test_file_is_all_there_is(field, choose, own_model, tmp_path):
    for path in (tmp_path / "models").iterdir():
        path.unlink()
    field.reset_choices()
    assert [field.value(), shown(field)] == ["", ["no model is installed"]]
    choose(own_model)
    assert [field.value(), shown(field)] == [own_model, ["heart"]]
