"""The dock widget "Fine-tune" on tiny pairs, from the choice of layers to a model in the stain widget's list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from filelock import FileLock
from napari.utils.progress import progress
from qtpy.QtWidgets import QMessageBox
from scipy.ndimage import gaussian_filter

from napari_mitostain._qt.tune_request import LayerChoice
from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.library import load_card, model_files
from napari_mitostain.training import trainer
from napari_mitostain.training.registry import known_runs, runs_folder
from napari_mitostain.training.run import RunFolder


def make_stacks(planes: int = 8, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Draw brightfield and fluorescence (T, Y, X) of the same places: dark where it shines."""
    random = np.random.default_rng(3)
    blobs = gaussian_filter(random.standard_normal((planes, side, side)), (0, 2, 2))
    target = ((blobs - blobs.min()) / np.ptp(blobs)) ** 3
    brightfield = 120 - 60 * target + random.normal(0, 1, blobs.shape)
    return brightfield.clip(0, 255).astype(np.uint8), (60000 * target).astype(np.uint16)


@pytest.fixture
def open_widget(viewer: Any, small_model: Any) -> Callable[[], Any]:
    """Open the dock widget through the manifest."""
    return lambda: viewer.window.add_plugin_dock_widget("napari-mitostain", "Fine-tune")[1]


@pytest.fixture
def tuner(viewer: Any, open_widget: Callable[[], Any], until: Any, tiny: TrainSettings) -> Any:
    """The widget with two small layers chosen and checked, set to a run of two tiny epochs."""
    brightfield, fluorescence = make_stacks()
    viewer.add_image(brightfield, name="cells", axis_labels=("t", "y", "x"))
    viewer.add_image(fluorescence, name="mitochondria", axis_labels=("t", "y", "x"))
    widget = open_widget()
    edit(widget, settings=tiny, name="heart")
    until(lambda: not widget.is_busy)
    return widget


def edit(widget: Any, **changes: Any) -> None:
    widget.form.setValue(replace(widget.form.value(), **changes))


def edit_pairs(widget: Any, **changes: Any) -> None:
    edit(widget, pairs=replace(widget.form.value().pairs, **changes))


@pytest.fixture
def train(until: Any) -> Callable[[Any], None]:
    """Press Start and wait for the end."""

    def train(widget: Any) -> None:
        widget.button.click()
        assert widget.training.is_running
        until(lambda: not widget.is_busy)

    return train


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the training wait after its first step, until it is let or stopped."""

    class Held:
        def __init__(self) -> None:
            self.go, self.reached = threading.Event(), threading.Event()
            self.error: Exception | None = None

    held, train = Held(), trainer.train

    def slowly(*arguments: Any, **more: Any) -> Any:
        events = train(*arguments, **more)
        try:
            for event in events:
                yield event
                if type(event).__name__ == "StepDone":
                    held.reached.set()
                    if held.error is not None:
                        raise held.error
                    while not held.go.wait(0.01):
                        yield event
        finally:
            events.close()

    monkeypatch.setattr(trainer, "train", slowly)
    yield held
    held.go.set()


def test_layers_are_checked_by_themselves_and_the_split_is_told(tuner):
    assert tuner.form.check.words.text().startswith("8 pairs. Split")
    assert tuner.form.check.errors == []
    assert [tuner.button.isEnabled(), tuner.words.text()] == [True, ""]


def test_run_from_start_to_a_model_that_can_be_used(viewer, tuner, train, until):
    train(tuner)
    (path,) = known_runs()
    assert path == runs_folder() / "heart"
    run = RunFolder(path)
    assert run.state() == "finished"
    assert (run.config().settings.epochs, run.config().init) == (2, "small")
    assert tuner.tabs.currentIndex() == 1
    assert tuner.runs.path == tuner.view.path == path
    assert "finished" in tuner.runs.list.item(0).text()
    assert "Done" in tuner.bar.words.text()
    assert tuner.view.summary.verdict in tuner.view.words.text().replace("\u200b", "")
    assert "starting model" in tuner.view.scores.text()
    tuner.view.choice.use.click()
    until(lambda: "heart" in model_files())
    assert load_card("heart").training["epochs"] == 2
    until(lambda: "heart" in tuner.form.start.model._models.choices)


def test_layers_in_memory_are_stored_with_the_run(tuner, train):
    train(tuner)
    spec = RunFolder(runs_folder() / "heart").config().pairs
    assert spec is not None
    np.testing.assert_array_equal(tifffile.imread(spec.brightfield), make_stacks()[0])
    np.testing.assert_array_equal(tifffile.imread(spec.mitochondria), make_stacks()[1])
    assert spec.brightfield.is_relative_to(runs_folder() / "heart" / "pairs")


def test_lazy_layers_of_a_file_are_not_copied(viewer, tuner, train, tmp_path):
    for name, stack in zip(("a", "b"), make_stacks(), strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", stack)
        layer = viewer.layers["cells" if name == "a" else "mitochondria"]
        layer.data = da.from_array(stack)
        layer._source = layer.source.model_copy(update={"path": str(tmp_path / f"{name}.tif")})
    train(tuner)
    spec = RunFolder(runs_folder() / "heart").config().pairs
    assert spec is not None
    assert [spec.brightfield, spec.mitochondria] == [tmp_path / "a.tif", tmp_path / "b.tif"]
    assert not (runs_folder() / "heart" / "pairs").exists()


def test_lazy_layer_that_shows_something_else_than_its_file_is_copied(viewer, tuner, train, tmp_path):
    for name, stack in zip(("a", "b"), make_stacks(), strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", stack[::-1])
        layer = viewer.layers["cells" if name == "a" else "mitochondria"]
        layer.data = da.from_array(stack)
        layer._source = layer.source.model_copy(update={"path": str(tmp_path / f"{name}.tif")})
    train(tuner)
    assert (runs_folder() / "heart" / "pairs").exists()


def test_no_wheel_of_the_activity_dock_turns_while_a_run_trains(tuner, held, until):
    """Each of its turns draws the whole window: a third of a core, taken from the run, without a graphics card."""
    tuner.button.click()
    until(held.reached.is_set)
    assert not progress._all_instances
    assert tuner.bar.bar.isVisibleTo(tuner)
    tuner.bar.stop.click()
    until(lambda: not tuner.is_busy)


def test_pause_leaves_a_checkpoint_and_resume_goes_on(tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    until(lambda: tuner.bar.pause.isVisibleTo(tuner))
    tuner.bar.pause.click()
    assert [tuner.bar.pause.isEnabled(), tuner.bar.stop.isEnabled()] == [False, False]
    until(lambda: not tuner.is_busy)
    run = RunFolder(runs_folder() / "heart")
    assert run.state() == "unfinished"
    assert "Paused" in tuner.bar.words.text()
    assert tuner.bar.pause.text() == "Resume"
    held.go.set()
    tuner.bar.pause.click()
    until(lambda: not tuner.is_busy)
    assert run.state() == "finished"


def test_stopped_run_stays_in_the_list_and_can_be_resumed_there(tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    tuner.bar.stop.click()
    until(lambda: not tuner.is_busy)
    assert "Stopped at a checkpoint" in tuner.bar.words.text()
    assert tuner.view.summary.state == "unfinished"
    assert not tuner.view.resume.isHidden()
    held.go.set()
    tuner.view.resume.click()
    until(lambda: not tuner.is_busy)
    assert tuner.view.summary.state == "finished"


def test_finished_run_continues_for_longer(tuner, train, until):
    train(tuner)
    tuner.view.more.setValue(1)
    assert tuner.view.more.suffix() == " epochs"
    tuner.view.longer.click()
    until(lambda: not tuner.is_busy)
    run = RunFolder(runs_folder() / "heart")
    assert [run.config().settings.epochs, tuner.view.summary.epochs] == [3, 3]


def test_second_start_waits_for_the_end_of_the_first(tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    edit(tuner, name="liver")
    assert not tuner.button.isEnabled()
    assert "heart is being trained: one run at a time" in tuner.words.text()
    tuner.bar.stop.click()
    until(lambda: not tuner.is_busy)
    assert [tuner.button.isEnabled(), tuner.words.text()] == [True, ""]


def test_second_run_is_refused_in_one_sentence(tuner, train, held, until, notifications):
    """As by Resume on another run of the list."""
    held.go.set()
    train(tuner)
    held.go.clear()
    first = tuner.training.path
    edit(tuner, name="liver")
    tuner.button.click()
    until(lambda: tuner.training.name == "liver")
    tuner.view.resumeAsked.emit(first, 1.0)
    assert "got heart while liver trains" in notifications[-1].message
    assert tuner.training.name == "liver"


def test_another_run_can_be_chosen_with_the_time_machine_open(viewer, tuner, train, until):
    train(tuner)
    first = tuner.training.path
    edit(tuner, name="liver")
    train(tuner)
    tuner.view.travel.click()
    until(lambda: tuner.view.machine is not None and tuner.view.machine.is_shown)
    tuner.runs.choose(first)
    until(lambda: not tuner.is_busy)
    assert tuner.view.path == first
    assert tuner.view.machine is None
    assert not tuner.view.travel.isChecked()
    assert len(viewer.layers) == 2


def test_time_machine_opens_on_the_best_epoch(tuner, train, until):
    """So that what would be used is what is seen."""
    edit(tuner, settings=replace(tuner.form.value().settings, epochs=4))
    train(tuner)
    best = tuner.view.choice.epoch
    tuner.view.travel.click()
    until(lambda: tuner.view.machine is not None and tuner.view.machine.is_shown)
    assert [tuner.view.machine.epoch, tuner.view.choice.epoch] == [best, best]


def test_run_is_refused_while_another_viewer_trains(tuner, train, notifications):
    runs_folder().mkdir(parents=True)
    (runs_folder() / ".viewer.run").write_text("liver")
    with FileLock(runs_folder() / ".viewer.lock"):
        train(tuner)
    assert "got liver; pause or stop it first" in notifications[-1].message
    assert [tuner.button.isEnabled(), known_runs()] == [True, []]


def test_run_that_another_program_trains_is_not_resumed(tuner, train, until, notifications):
    train(tuner)
    with RunFolder(runs_folder() / "heart").lock():
        tuner.view.longer.click()
        until(lambda: not tuner.training.is_running)
    assert "being trained" in notifications[-1].message


def test_failure_is_told_and_the_buttons_come_back(tuner, held, until, notifications):
    held.error = DeviceError("Expected a GPU, got none any more; resume on another device.")
    tuner.button.click()
    until(lambda: not tuner.is_busy)
    assert notifications[-1].message == str(held.error)
    assert str(held.error) in tuner.bar.words.text()
    assert [tuner.bar.pause.isHidden(), tuner.bar.stop.isHidden(), tuner.button.isEnabled()] == [True, True, True]


def test_runs_are_found_after_a_restart(viewer, tuner, train, open_widget, until):
    train(tuner)
    viewer.window.remove_dock_widget(viewer.window._wrapped_dock_widgets["Fine-tune (napari-mitostain)"])
    again = open_widget()
    assert again is not tuner
    again.tabs.setCurrentIndex(1)
    again.runs.refresh()
    until(lambda: not again.is_busy)
    assert again.view.path == runs_folder() / "heart"
    assert again.view.summary.state == "finished"
    assert not again.view.longer.isHidden()
    assert len(again.view.curves._history.epochs) == 2


def test_forgotten_run_leaves_the_list_but_not_the_disk(tuner, train, until):
    train(tuner)
    tuner.view.forget.click()
    until(lambda: not tuner.is_busy)
    assert tuner.runs.list.count() == 0
    assert tuner.view.isHidden()
    assert (runs_folder() / "heart" / "config.json").exists()


def close_dock(viewer: Any) -> None:
    viewer.window._wrapped_dock_widgets["Fine-tune (napari-mitostain)"].title.close_button.click()


def test_closing_the_dock_asks_and_the_user_may_stay(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    close_dock(viewer)
    until(lambda: tuner._question is not None)
    button(tuner._question, "Keep training").click()
    until(lambda: tuner.parent() is not None)
    dock = viewer.window._wrapped_dock_widgets["Fine-tune (napari-mitostain)"]
    assert dock.widget() is tuner
    assert tuner.training.is_running
    assert not tuner.training.runner.is_stopping
    held.go.set()
    until(lambda: not tuner.is_busy)
    assert RunFolder(runs_folder() / "heart").state() == "finished"


def test_closing_the_dock_may_stop_the_run_at_a_checkpoint(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    close_dock(viewer)
    until(lambda: tuner._question is not None)
    button(tuner._question, "Stop at a checkpoint").click()
    until(lambda: not tuner.training.is_running)
    assert RunFolder(runs_folder() / "heart").state() == "unfinished"
    assert known_runs() == [runs_folder() / "heart"]


def test_closing_the_dock_asks_nothing_while_nothing_trains(viewer, tuner, qtbot):
    close_dock(viewer)
    qtbot.wait(10)
    assert tuner._question is None


def test_closed_dock_checks_nothing(viewer, tuner):
    close_dock(viewer)
    before = tuner.form.value()
    viewer.layers["cells"].data = make_stacks(4)[0]
    assert not tuner.check.is_busy
    viewer.layers.remove("cells")
    viewer.add_image(make_stacks(4)[0], name="late")
    assert not tuner.check.is_busy
    assert tuner.form.value() == before


def test_dock_that_stays_open_follows_what_came_meanwhile(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    close_dock(viewer)
    until(lambda: tuner._question is not None)
    viewer.layers.remove("cells")
    late = viewer.add_image(make_stacks()[0], name="late")
    button(tuner._question, "Keep training").click()
    until(lambda: tuner.form.value().pairs.brightfield.layer is late)
    assert tuner.check.is_busy
    held.go.set()
    until(lambda: not tuner.is_busy)


def test_hidden_dock_goes_on_training(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    viewer.window._wrapped_dock_widgets["Fine-tune (napari-mitostain)"].title.hide_button.click()
    held.go.set()
    until(lambda: not tuner.training.is_running)
    assert RunFolder(runs_folder() / "heart").state() == "finished"


def test_closing_the_viewer_leaves_a_checkpoint(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    viewer.close()
    until(lambda: RunFolder(runs_folder() / "heart").state() == "unfinished")


def test_closing_the_viewer_answers_the_question(viewer, tuner, held, until):
    tuner.button.click()
    until(held.reached.is_set)
    close_dock(viewer)
    until(lambda: tuner._question is not None)
    viewer.close()
    until(lambda: RunFolder(runs_folder() / "heart").state() == "unfinished")


def button(question: QMessageBox, title: str) -> Any:
    (found,) = (one for one in question.buttons() if one.text().replace("&", "") == title)
    return found


def test_findings_in_a_folder_are_shown_and_what_is_unreadable_can_be_left_out(tuner, pairs_folder, until):
    folder = pairs_folder("a.tif", "b.tif", "c.tif", "d.tif", shape=(64, 64))
    (folder / "brightfield" / "b.tif").write_bytes(b"no image")
    edit_pairs(tuner, source="folder", folder=str(folder))
    until(lambda: not tuner.is_busy)
    (row,) = (row for row in tuner.form.check.rows if row.finding.severity == "error")
    assert "b.tif" in row.finding.message
    assert not tuner.button.isEnabled()
    assert "error" in tuner.words.text()
    tuner.form.pairs.skip.setChecked(True)
    until(lambda: not tuner.is_busy)
    assert tuner.form.check.errors == []
    assert [row.finding.severity for row in tuner.form.check.rows if "b.tif" in row.finding.message] == ["warning"]
    assert tuner.button.isEnabled()


def test_shift_is_offered_with_a_picture_and_applied(viewer, tuner, until):
    brightfield, fluorescence = make_stacks(4, 256)
    viewer.layers["cells"].data = brightfield
    viewer.layers["mitochondria"].data = np.roll(fluorescence, (-12, 9), (1, 2))
    edit(tuner, model="")
    until(lambda: not tuner.is_busy)
    (row,) = (row for row in tuner.form.check.rows if row.finding.shift is not None)
    np.testing.assert_allclose(row.finding.shift, (12, -9), atol=1)
    assert row.picture is not None
    assert row.button is not None
    row.button.click()
    assert tuner.form.value().pairs.shifts == {"cells": row.finding.shift}
    until(lambda: not tuner.is_busy)
    assert [row for row in tuner.form.check.rows if row.finding.shift is not None] == []


def test_shift_of_layers_goes_into_the_run(tuner, train):
    tuner.form.pairs.shift("cells", (3, -2))
    train(tuner)
    spec = RunFolder(runs_folder() / "heart").config().pairs
    assert spec is not None
    assert spec.shifts == {"cells": (3, -2)}


def test_new_choice_is_checked_anew(viewer, tuner, until):
    edit_pairs(tuner, mitochondria=LayerChoice(viewer.layers["cells"]))
    assert tuner.words.text() == "Choose two different layers, or two channels of one."
    assert [tuner.form.check.words.text(), tuner.button.isEnabled()] == ["", False]


def test_settings_that_matter_to_the_pairs_are_checked(tuner, until):
    tuner.form.more.patch.setValue(128)
    until(lambda: not tuner.is_busy)
    assert tuner.form.check.errors
    tuner.form.more.patch.setValue(32)
    until(lambda: not tuner.is_busy)
    assert not tuner.form.check.errors


def test_stop_before_the_run_has_begun_keeps_nothing(tuner, until):
    tuner.button.click()
    tuner.bar.stop.click()
    until(lambda: not tuner.is_busy)
    assert "nothing was kept" in tuner.bar.words.text()
    assert not (runs_folder() / "heart").exists()


def test_run_that_goes_on_elsewhere_is_shown_anew(tuner, train, until):
    train(tuner)
    RunFolder(runs_folder() / "heart").extend(epochs=1)
    tuner.runs.refresh()
    until(lambda: not tuner.view.resume.isHidden())
    assert tuner.view.summary.state == "unfinished"


def test_chosen_epoch_stays_chosen_when_the_run_is_read_again(tuner, train, until):
    train(tuner)
    tuner.view.curves.epochChosen.emit(0)
    tuner.view.refresh()
    until(lambda: not tuner.is_busy)
    assert tuner.view.choice.epoch == 0


def test_time_machine_comes_and_goes(viewer, tuner, train, until):
    train(tuner)
    before = len(viewer.layers)
    tuner.view.travel.click()
    until(lambda: tuner.view.machine is not None and tuner.view.machine.is_shown)
    assert len(viewer.layers) > before
    tuner.view.curves.epochChosen.emit(0)
    until(lambda: tuner.view.machine.epoch == 0)
    assert tuner.view.choice.epoch == 0
    tuner.view.travel.click()
    assert len(viewer.layers) == before
    assert tuner.view.choice.epoch == tuner.view.summary.best  # not what was only looked at
