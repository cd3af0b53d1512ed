"""The time machine in a real viewer, over files as a run writes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_mitostain._qt.result_layer import image_choices
from napari_mitostain._qt.tune_crops import mosaic, read_crops, with_epochs
from napari_mitostain._qt.tune_history import START
from napari_mitostain._qt.tune_machine import TimeMachine
from napari_mitostain._qt.view_state import Takeover, camera_of
from napari_mitostain.errors import FileError
from napari_mitostain.training.previews import PreviewFolder

SIZE = (12, 10)
NAMES = ["crops in brightfield", "fluorescence (measured)"]


class Run:
    """A run of which only the previews are there; the stain of an epoch is as bright as its number."""

    def __init__(self, path: Path, crops: int = 2) -> None:
        self.path, self._crops = path, crops
        self.previews = PreviewFolder(path / "previews")
        random = np.random.default_rng(0)
        self.previews.write_crops(random.normal(size=(crops, *SIZE)), random.random((crops, *SIZE)))
        self.readers: list[threading.Thread] = []

    def preview_images(self) -> Any:
        self.readers.append(threading.current_thread())
        return self.previews.read()

    def stain(self, epoch: int) -> Path:
        """Write the stain of an epoch and return its file."""
        value = 250 if epoch == START else 10 * epoch + 1
        self.previews.write_stains(None if epoch == START else epoch, np.full((self._crops, *SIZE), value / 255))
        return self.previews.path / f"epoch-{epoch:04d}.tif"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    for epoch in (START, 0, 4):
        run.stain(epoch)
    return run


@pytest.fixture
def machine(viewer: Any, run: Run) -> TimeMachine:
    dock = QWidget()
    viewer.window.add_dock_widget(dock, name="Fine-tune")
    return TimeMachine(viewer, run, dock)


@pytest.fixture
def seen(machine: TimeMachine) -> list[int]:
    told: list[int] = []
    machine.epochSeen.connect(told.append)
    return told


@pytest.fixture
def shown(machine: TimeMachine, until: Callable[..., None]) -> Callable[[], TimeMachine]:
    def show() -> TimeMachine:
        machine.show()
        until(lambda: machine.is_shown)
        return machine

    return show


@pytest.fixture
def add(machine: TimeMachine, run: Run, until: Callable[..., None]) -> Callable[..., None]:
    def add(*epochs: int) -> None:
        for epoch in epochs:
            machine.add(epoch, run.stain(epoch))
        until(lambda: not machine.is_busy)

    return add


def stain_of(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if layer.name.startswith("stain"))


def in_view(viewer: Any) -> int:
    """The brightness of the stain that is seen."""
    return int(stain_of(viewer)._data_view.max())


def test_crops_lie_beside_each_other_and_the_stain_has_an_axis_of_epochs(viewer, run, shown, seen):
    shown()
    brightfield, truth, stain = viewer.layers
    assert [layer.name for layer in viewer.layers] == [*NAMES, "stain, epoch 4 (predicted)"]
    found = run.previews.read()
    np.testing.assert_array_equal(brightfield.data, mosaic(found.brightfield))
    np.testing.assert_array_equal(truth.data, mosaic(found.truth))
    assert stain.data.shape == (3, *truth.data.shape)
    assert stain.data.max(axis=(1, 2)).tolist() == [250, 1, 41]  # the start, and epochs 0 and 4
    assert viewer.dims.axis_labels[0] == "epoch"
    ends = [(layer.extent.world[0][-1], layer.extent.world[1][-1]) for layer in viewer.layers]
    assert ends[0][1] < ends[1][0] < ends[1][1] < ends[2][0]
    assert (seen, in_view(viewer)) == ([4], 41)
    assert stain.contrast_limits == truth.contrast_limits


def test_files_are_read_in_a_thread(run, shown):
    shown()
    assert len(run.readers) == 1
    assert run.readers[0] is not threading.main_thread()


def test_layers_say_what_they_are(viewer, run, shown):
    shown()
    stain = stain_of(viewer)
    told = stain.metadata["mitostain"]
    assert told["digitally_predicted"] is True
    assert (told["run"], told["epochs"]) == (str(run.path), (START, 0, 4))
    assert "predicted" in told["description"]
    assert "digitally_predicted" not in viewer.layers[NAMES[1]].metadata["mitostain"]
    assert image_choices(viewer) == [("no image is open", None)]  # nobody stains a stain


def test_slider_tells_the_epoch(viewer, shown, seen):
    shown()
    for step, epoch, brightness in ((0, START, 250), (1, 0, 1), (2, 4, 41)):
        viewer.dims.set_current_step(0, step)
        assert (seen[-1], in_view(viewer)) == (epoch, brightness)
    assert seen == [4, START, 0, 4]
    viewer.dims.set_current_step(0, 0)
    assert stain_of(viewer).name == "stain, starting model (predicted)"


def test_epoch_is_shown_or_the_nearest(viewer, shown, seen):
    machine = shown()
    for asked, got in ((0, 0), (3, 4), (START, START), (99, 4)):
        machine.go_to(asked)
        assert machine.epoch == got
    assert seen == [4, 0, 4, START, 4]


def test_epoch_that_is_asked_for_before_the_crops_are_read_is_shown(viewer, machine, until, seen):
    machine.show()
    machine.go_to(0)
    until(lambda: machine.is_shown)
    assert (machine.epoch, seen) == (0, [0])


def test_epoch_that_is_asked_for_before_its_stain_comes_is_shown_then(viewer, shown, add, seen):
    machine = shown()
    machine.go_to(0)
    machine.go_to(6)
    assert machine.epoch == 4
    add(6)
    assert machine.epoch == 6
    machine.go_to(9)
    machine.go_to(0)  # the user wants something else now
    add(9)
    assert machine.epoch == 0


def test_view_follows_the_newest_epoch_and_else_stays(viewer, shown, add, seen):
    machine = shown()
    add(5)
    assert (machine.epoch, in_view(viewer)) == (5, 51)
    machine.go_to(0)
    for epoch in range(6, 25):
        add(epoch)
    assert (machine.epoch, in_view(viewer), viewer.dims.nsteps[0]) == (0, 1, 23)
    assert seen == [4, 5, 0]
    viewer.dims.set_current_step(0, 22)
    assert in_view(viewer) == 241


def test_epochs_that_come_at_once_are_all_there(viewer, machine, run, until):
    machine.show()
    for epoch in range(5, 12):
        machine.add(epoch, run.stain(epoch))
    until(lambda: machine.is_shown and not machine.is_busy)
    assert stain_of(viewer).data.max(axis=(1, 2)).tolist() == [250, 1, 41, *range(51, 121, 10)]
    assert machine.epoch == 11


def test_epoch_out_of_order_or_done_again_takes_its_place(viewer, run, shown, add, seen):
    machine = shown()
    machine.go_to(4)
    viewer.dims.set_current_step(0, 1)
    add(2)
    assert (machine.epoch, in_view(viewer)) == (0, 1)
    run.previews.write_stains(0, np.full((2, *SIZE), 200 / 255))
    machine.add(0, run.previews.path / "epoch-0000.tif")
    add()
    assert (machine.epoch, in_view(viewer), viewer.dims.nsteps[0]) == (0, 200, 4)


def test_new_epochs_leave_contrast_camera_and_selection(viewer, shown, add):
    viewer.add_image(np.zeros((4, 30, 30)), name="mine")
    shown()
    stain = stain_of(viewer)
    stain.contrast_limits = (3, 70)
    camera_of(viewer).zoom = 3.3
    viewer.dims.set_current_step(1, 3)
    before = (camera_of(viewer).center, viewer.layers.selection.active)
    add(5, 6)
    assert (tuple(stain.contrast_limits), camera_of(viewer).zoom) == ((3, 70), 3.3)
    assert (camera_of(viewer).center, viewer.layers.selection.active) == before
    assert viewer.dims.current_step[1] == 3


def test_users_layers_hide_and_come_back_as_they_were(viewer, machine, shown):
    viewer.add_image(np.zeros((9, 30, 30)), name="mine", scale=(2, 0.1, 0.1), units=("um",) * 3)
    viewer.add_image(np.zeros((30, 30)), name="hidden", visible=False, units=("um",) * 2)
    viewer.dims.set_current_step(0, 6)
    camera_of(viewer).center, camera_of(viewer).zoom = (0, 1, 2), 33
    before = (viewer.dims.point, viewer.dims.axis_labels, camera_of(viewer).center, camera_of(viewer).zoom)
    active = viewer.layers.selection.active
    told = []
    machine.shown.connect(told.append)
    shown()
    assert [layer.name for layer in viewer.layers if layer.visible] == [*NAMES, "stain, epoch 4 (predicted)"]
    assert viewer.layers.units[-2:] == viewer.layers["mine"].units[-2:]  # napari warns of units that differ
    machine.remove()
    assert [(layer.name, layer.visible) for layer in viewer.layers] == [("mine", True), ("hidden", False)]
    after = (viewer.dims.point, viewer.dims.axis_labels, camera_of(viewer).center, camera_of(viewer).zoom)
    assert (after, viewer.layers.selection.active, told) == (before, active, [True, False])
    assert machine.epoch is None


@pytest.mark.parametrize("shape", [(9, 30, 30), (3, 9, 30, 30)])
def test_stain_is_there_wherever_the_users_sliders_are(viewer, shown, shape):
    viewer.add_image(np.zeros(shape), name="mine", translate=(*[7] * (len(shape) - 2), 0, 0))
    machine = shown()
    assert viewer.dims.axis_labels[0] == "epoch"
    ranges = [span[:2] for span in viewer.dims.range[1 : len(shape) - 1]]
    assert ranges == [(7, 7 + length - 1) for length in shape[:-2]]  # the sliders of the user's are as they were
    for axis, length in enumerate(shape[:-2], 1):
        viewer.dims.set_current_step(axis, length - 1)
    assert in_view(viewer) == 41
    machine.go_to(0)
    assert in_view(viewer) == 1


@pytest.mark.parametrize("shape", [(9, 30, 30), (3, 9, 30, 30)])
def test_axis_of_epochs_stays_its_own_when_a_layer_comes(viewer, shown, add, until, shape):
    machine = shown()
    machine.go_to(0)
    stain_of(viewer).contrast_limits = (3, 70)
    viewer.add_image(np.zeros(shape), name="mine")
    until(lambda: viewer.dims.ndim == len(shape) + 1)
    assert (viewer.dims.axis_labels[0], viewer.dims.nsteps[0], machine.epoch) == ("epoch", 3, 0)
    assert (in_view(viewer), stain_of(viewer).name) == (1, "stain, epoch 0 (predicted)")
    assert tuple(stain_of(viewer).contrast_limits) == (3, 70)
    viewer.dims.set_current_step(1, 2)
    assert (machine.epoch, in_view(viewer)) == (0, 1)
    viewer.layers.remove("mine")
    add(5)
    assert (machine.epoch, viewer.dims.nsteps[0]) == (0, 4)


def test_three_dimensions_are_left_and_come_back(viewer, machine, shown):
    viewer.add_image(np.zeros((9, 30, 30)), name="mine")
    viewer.dims.ndisplay = 3
    shown()
    assert viewer.dims.ndisplay == 2
    machine.remove()
    assert viewer.dims.ndisplay == 3


def test_order_of_the_users_axes_comes_back(viewer, machine, shown):
    viewer.add_image(np.zeros((9, 30, 30)), name="mine")
    viewer.dims.order = (2, 0, 1)
    shown()
    assert viewer.dims.displayed == (2, 3)
    machine.remove()
    assert viewer.dims.order == (2, 0, 1)


def test_something_else_takes_the_viewer_over(viewer, machine, shown):
    mine = viewer.add_image(np.zeros((9, 30, 30)), name="mine")
    left = []

    def take() -> Takeover:
        mine.visible = True  # so that it is seen whose view comes back
        taken = Takeover(viewer, lambda: (left.append(taken), taken.give_back()))
        mine.visible = False
        return taken

    taken = take()
    shown()
    assert left == [taken]
    taken = take()
    assert not machine.is_shown
    assert [*viewer.layers] == [mine]
    taken.give_back()
    assert mine.visible
    shown()
    assert left == [left[0]]  # what is over needs not leave
    machine.remove()
    assert mine.visible


def test_deleting_the_stain_is_leaving(viewer, machine, shown, until):
    viewer.add_image(np.zeros((30, 30)), name="mine")
    shown()
    viewer.layers.remove(stain_of(viewer))
    until(lambda: len(viewer.layers) == 1)
    assert viewer.layers["mine"].visible
    assert not machine.is_shown
    machine.add(5, Path("gone.tif"))  # of no interest now
    assert not machine.is_busy
    shown()
    assert len(viewer.layers) == 4


def test_brightfield_may_go(viewer, machine, shown, add):
    shown()
    viewer.layers.remove("crops in brightfield")
    add(5)
    assert (machine.epoch, machine.is_shown, len(viewer.layers)) == (5, True, 2)
    machine.remove()
    assert len(viewer.layers) == 0


def test_emptied_viewer(viewer, machine, shown, until):
    shown()
    viewer.layers.clear()
    until(lambda: machine.epoch is None)
    assert len(viewer.layers) == 0


def test_removed_while_files_are_read(viewer, machine, run, hold, until, monkeypatch):
    monkeypatch.setattr(run, "preview_images", hold.hold(run.preview_images))
    machine.show()
    hold.wait()
    machine.remove()
    hold.let()
    until(lambda: len(run.readers) == 1)
    QCoreApplication.processEvents()
    assert len(viewer.layers) == 0


def test_run_without_previews_is_explained(viewer, tmp_path, until, machine, run):
    run.previews.path = tmp_path / "none"
    told: list[Exception] = []
    machine.failed.connect(told.append)
    machine.show()
    until(lambda: len(told) > 0)
    assert isinstance(told[0], FileError)
    assert "wait until an epoch" in str(told[0])
    assert len(viewer.layers) == 0


def test_stain_that_is_damaged_or_gone_is_left_out(viewer, run, shown, add):
    (run.previews.path / "epoch-0000.tif").write_bytes(b"no image")
    machine = shown()
    machine.add(7, run.previews.path / "epoch-0007.tif")
    add(8)
    assert stain_of(viewer).metadata["mitostain"]["epochs"] == (START, 4, 8)
    assert machine.epoch == 8


def test_machine_whose_dock_is_gone_says_nothing(viewer, machine, shown):
    shown()
    machine.remove()
    machine.deleteLater()
    QCoreApplication.sendPostedEvents(machine, QEvent.Type.DeferredDelete)
    viewer.add_image(np.zeros((5, 8, 8)))
    viewer.dims.set_current_step(0, 1)
    viewer.layers.clear()


# ---------------------------------------------------------------- mosaics


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1), (6, 3, 2), (8, 4, 2)]
)
def test_crops_are_laid_out_so_that_three_mosaics_fill_a_canvas(count, rows, columns):
    plane = mosaic(np.ones((count, 20, 20), np.uint8))
    assert plane.shape == (24 * rows - 4, 24 * columns - 4)
    assert plane.sum() == count * 400


def test_long_crops_lie_below_each_other():
    assert mosaic(np.ones((4, 10, 90), np.uint8)).shape == (4 * 14 - 4, 90)


def test_new_epochs_go_into_the_room_there_is(run):
    crops = read_crops(run)
    more = with_epochs(crops, {epoch: run.stain(epoch) for epoch in (5, 6)})
    assert more.pages is crops.pages
    assert crops.stains.max(axis=(1, 2)).tolist() == [250, 1, 41]  # what is in view has not changed
    assert more.epochs == (START, 0, 4, 5, 6)


def test_stain_of_another_size_is_left_out(run):
    crops = read_crops(run)
    tifffile.imwrite(run.path / "odd.tif", np.zeros((2, 5, 5), np.uint8))
    assert with_epochs(crops, {9: run.path / "odd.tif"}).epochs == crops.epochs
