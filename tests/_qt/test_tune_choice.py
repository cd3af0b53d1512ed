"""The choice of an epoch, and how it becomes a model in an open stain widget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtGui import QEnterEvent, QFocusEvent

from napari_mitostain._qt.tune_choice import Choice
from napari_mitostain._qt.tune_history import START
from napari_mitostain.errors import ModelError, TrainingError
from napari_mitostain.model.library import load_card, model_files
from napari_mitostain.model.loading import Model, load_model, save_model


def done(epoch: int, detail: float | None = None, best: bool = False, model: bool = True) -> dict[str, Any]:
    scores = {} if detail is None else {"pearson": 0.654, "detail_pearson": detail}
    name = f"epoch-{epoch:04d}" if model else ""
    return {"event": "EpochDone", "epoch": epoch, "losses": {}, "scores": scores, "model": name, "best": best}


STARTED = {"event": "StartScored", "scores": {"start": {"pearson": 0.605, "detail_pearson": 0.327}}}
RUN = [STARTED, done(0, 0.2, True), done(1, model=False), done(9, 0.341, True), done(12, 0.336)]


class Run:
    """A run of which only the kept models are there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def keep(self, model: Model, epoch: int) -> None:
        save_model(model, self.path / f"epoch-{epoch:04d}.safetensors")

    def kept(self) -> dict[int, Path]:
        return {int(path.stem[6:]): path for path in self.path.glob("epoch-*.safetensors")}

    @property
    def model(self) -> Path:
        return self.path / "model.safetensors"


@pytest.fixture
def run(tmp_path: Path, small_model: Model) -> Run:
    run = Run(tmp_path / "heart")
    for epoch in (0, 9, 12):
        run.keep(small_model, epoch)
    save_model(replace(small_model, card=replace(small_model.card, summary="It helped.")), run.model)
    return run


@pytest.fixture
def choice(qtbot: Any, run: Run) -> Choice:
    choice = Choice()
    qtbot.addWidget(choice)
    choice.set_run(run)
    choice.show_history(RUN)
    return choice


@pytest.fixture
def install(choice: Choice, until: Any) -> Any:
    """Press the button; returns what was told when the model is there, or cannot be."""

    def install() -> Any:
        told: list[Any] = []
        choice.installed.connect(told.append)
        choice.failed.connect(told.append)
        choice.use.click()
        assert not choice.use.isEnabled()  # once is enough
        until(lambda: len(told) > 0)
        choice.installed.disconnect(told.append)
        choice.failed.disconnect(told.append)
        return told[0]

    return install


def test_epoch_is_told_with_its_scores_beside_the_best(choice):
    choice.select(12)
    assert choice.words.text() == "Epoch 12: detail 0.34, Pearson 0.65 (best: epoch 9)"
    choice.select(9)
    assert choice.words.text() == "Epoch 9: detail 0.34, Pearson 0.65 (best)"
    choice.select(1)
    assert choice.words.text() == "Epoch 1: not scored (best: epoch 9)"


def test_starting_model_is_told_and_cannot_be_used(choice):
    choice.select(START)
    assert choice.words.text() == "Starting model: detail 0.33, Pearson 0.60 (best: epoch 9)"
    assert not choice.use.isEnabled()


def test_unless_an_epoch_is_selected_it_is_the_best_else_the_last_that_is_kept(choice):
    assert choice.epoch == 9
    choice.add(done(13, 0.35, True))
    assert choice.epoch == 13
    choice.select(0)
    choice.add(done(14, 0.36, True))
    assert choice.epoch == 0
    assert "(best: epoch 14)" in choice.words.text()
    choice.show_history([done(0), done(1), done(2, model=False)])
    assert choice.epoch == 1
    choice.show_history([])
    assert (choice.epoch, choice.words.text()) == (None, "No epoch is kept yet.")
    assert not choice.use.isEnabled()


def test_only_what_is_kept_can_be_used(choice):
    for epoch, kept in ((0, True), (1, False), (12, True), (99, False)):
        choice.select(epoch)
        assert choice.use.isEnabled() == kept
    choice.set_run(None)
    choice.show_history(RUN)
    assert not choice.use.isEnabled()


def test_best_button_chooses_the_best(choice):
    told: list[int] = []
    choice.epochChosen.connect(told.append)
    choice.select(12)
    choice.best.click()
    assert (told, choice.epoch) == ([9], 9)
    assert not choice.best.isEnabled()


def test_model_of_the_epoch_becomes_one_of_the_users(choice, install, run, small_model):
    choice.select(12)
    assert install() == "heart epoch 12"
    assert "Epoch 12 is installed as “heart epoch 12”" in choice.words.text()
    installed = model_files()["heart epoch 12"]
    assert installed.read_bytes() == run.kept()[12].read_bytes()
    assert load_card("heart epoch 12").name == "heart epoch 12"
    assert load_model("heart epoch 12").sha256 == small_model.sha256
    assert choice.use.isEnabled()
    choice.select(9)
    assert "installed" not in choice.words.text()


def test_best_epoch_comes_with_the_card_of_the_run(choice, install):
    choice.select(9)
    assert install() == "heart"
    assert load_card("heart").summary == "It helped."


def test_model_that_is_gone_is_explained(choice, install, run):
    run.kept()[9].unlink()
    error = install()
    assert isinstance(error, TrainingError)
    assert "epoch 9" in str(error)
    assert str(error) in choice.words.text()
    assert "heart" not in model_files()


def test_model_that_cannot_be_read_is_explained(choice, install, run):
    run.model.with_suffix(".json").unlink()
    assert isinstance(install(), ModelError)


# ---------------------------------------------------------------- in Digital stain


def offered(widget: Any) -> list[str]:
    box = widget.form._model._models.native
    return [box.itemText(i) for i in range(box.count())]


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_installed_model_is_on_offer_in_an_open_stain_widget(viewer, widget, choice, install, cells, press, by):
    viewer.add_image(cells[:1])
    assert offered(widget) == ["small"]
    install()
    box = widget.form._model._models.native
    where = box.rect().center().toPointF()
    entered, focused = QEnterEvent(where, where, where), QFocusEvent(QEvent.Type.FocusIn)
    QCoreApplication.sendEvent(box, entered if by == "mouse" else focused)
    assert sorted(offered(widget)) == ["heart", "small"]
    assert widget.form.value().model == "small"  # what was chosen stays
    box.setCurrentText("heart")
    assert widget.form.value().model == "heart"
    press(widget)
    assert viewer.layers[-1].metadata["mitostain"]["model"] == "heart"
