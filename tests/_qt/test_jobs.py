"""Jobs and their runner, with tasks made for the purpose."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.qt.threading import WorkerBase
from napari.utils.progress import progress
from qtpy.QtCore import QObject

from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import new_job
from napari_mitostain._qt.progress import trained_fraction
from napari_mitostain.errors import DeviceError
from napari_mitostain.events import Notice, StepDone, TileDone


@pytest.fixture
def runner(qapp: Any, until: Any) -> Iterator[JobRunner]:
    runner = JobRunner()
    yield runner
    runner.cancel()
    until(lambda: not WorkerBase._worker_set)


@pytest.fixture
def log(runner: JobRunner) -> list[Any]:
    """The batches of events, then the outcome."""
    told: list[Any] = []
    runner.received.connect(told.append)
    runner.ended.connect(told.append)
    return told


def step(number: int = 0) -> StepDone:
    return StepDone(step=number, fraction=0.5)


def test_events_come_in_order_on_the_main_thread(runner, log, until):
    threads = set()
    runner.received.connect(lambda _: threads.add(threading.current_thread()))
    runner.start("Counting", lambda: (step(i) for i in range(100)))
    until(lambda: not runner.is_running)
    assert [event.step for events in log[:-1] for event in events] == list(range(100))
    assert log[-1].kind == "done"
    assert threads == {threading.main_thread()}


def test_a_flood_is_taken_in_batches_and_the_job_waits(runner, log, until):
    """However quick the job, the main thread is called once a tick, with a bounded number of events."""
    runner.start("Flooding", lambda: (step(i) for i in range(3000)))
    begin = time.monotonic()
    until(lambda: not runner.is_running)
    batches = [len(events) for events in log[:-1]]
    assert sum(batches) == 3000
    assert len(batches) <= (time.monotonic() - begin) / 0.035 + 2  # a tick is 40 ms, Qt's timers are 5 % coarse
    assert max(batches) <= 64  # a full queue, and at most as much again while it is emptied


def test_progress_is_shown_by_the_hundredth(qapp, until):
    """A step that changes nothing that can be seen is not shown: each time the whole window is drawn."""
    shown: list[float] = []
    begin = time.monotonic()
    runner = JobRunner(fraction=trained_fraction)
    runner.progressed.connect(lambda fraction, _: shown.append(fraction))
    runner.start("Creeping", lambda: (StepDone(step=i, fraction=1e-5 * i) for i in range(3000)))
    until(lambda: not runner.is_running)
    assert 1 < len(shown) <= 4 + (time.monotonic() - begin)  # at 0, 0.01 and 0.02, and once a second
    assert shown == sorted(shown)


def test_cancel_closes_the_iterator_and_drops_what_waits(runner, log, until):
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield step()
        finally:
            closed.set()

    runner.start("Running on", endless)
    until(lambda: len(log) > 0)
    runner.cancel()
    assert log[-1].kind == "cancelled"
    count = len(log)
    assert closed.wait(10)
    until(lambda: not WorkerBase._worker_set)
    assert len(log) == count


def test_a_new_job_takes_the_place_of_the_old_and_hears_none_of_its_events(runner, log, until):
    release = threading.Event()

    def old():
        yield step(1)
        release.wait(30)
        yield step(1)

    runner.start("Old", old)
    until(lambda: len(log) == 1)
    runner.start("New", lambda: (step(2) for _ in range(3)))
    release.set()
    until(lambda: not runner.is_running)
    assert log[1].kind == "cancelled"
    assert {event.step for events in log[2:-1] for event in events} == {2}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("CUDA out of memory"), "RuntimeError: CUDA out of memory"),
        (StopIteration("odd"), "RuntimeError: generator raised StopIteration"),
        (DeviceError("Expected a device, got none; buy one."), "Expected a device, got none; buy one."),
    ],
)
def test_errors_are_told_and_end_the_job(runner, log, until, notifications, error, message):
    def failing():
        yield step()
        raise error

    bars = len(progress._all_instances)
    runner.start("Failing", failing)
    assert len(progress._all_instances) == bars + 1
    until(lambda: not runner.is_running)
    assert log[-1].kind == "failed"
    assert [notification.message for notification in notifications] == [message]
    assert len(progress._all_instances) == bars


def test_only_the_first_notices_are_shown(runner, until, notifications):
    runner.start("Noting", lambda: (Notice(message=f"plane {i}") for i in range(50)))
    until(lambda: not runner.is_running)
    told = [notification.message for notification in notifications]
    assert told == ["plane 0", "plane 1", "plane 2", "47 more notices like these."]


def test_progress_and_time_left(runner, until):
    told: list[tuple[float, float | None]] = []
    runner.progressed.connect(lambda fraction, seconds: told.append((fraction, seconds)))

    def two_tiles():
        for number in (1, 2):
            values = np.zeros((1, 1), np.float32)
            yield TileDone(plane=(), box=(slice(1), slice(1)), values=values, fraction=number / 4, time=10.0 * number)
            time.sleep(0.1)  # two ticks

    runner.start("Staining", two_tiles)
    until(lambda: not runner.is_running)
    assert told == [(0.25, None), (0.5, 20.0)]


def test_images_of_a_job_are_let_go_when_it_ends(viewer, runner, until):
    """napari keeps a worker until its window closes; the arrays of its task must not be kept with it."""
    image = np.zeros(10)
    kept = weakref.ref(image)

    def task(image=image):
        yield step(int(image[0]))

    runner.start("Holding", task)
    del image, task
    until(lambda: not runner.is_running and not WorkerBase._worker_set)
    gc.collect()
    assert kept() is None


def test_a_job_stopped_in_line_never_begins(qtbot):
    began = threading.Event()

    def task():
        began.set()
        yield step()

    job = new_job("Late", task)
    job.quit()
    job.work()  # as its thread does when its turn comes
    assert not began.is_set()


def test_script_that_ends_within_a_tile_waits_for_it():
    """A thread that outlived Qt would abort the process."""
    script = (
        "import time, napari\n"
        "from qtpy.QtWidgets import QApplication\n"
        "from napari_mitostain._qt.job_runner import JobRunner\n"
        "viewer, runner, began = napari.Viewer(show=False), JobRunner(), []\n"
        "def task():\n"
        "    began.append(True)\n"
        "    time.sleep(1)\n"
        "    print('left the tile')\n"
        "    yield from ()\n"
        "runner.start('Staining', task)\n"
        "while not began:\n"
        "    QApplication.processEvents()\n"
        "viewer.close()\n"
        "del runner\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert [ended.returncode, ended.stdout.split("\n")[0]] == [0, "left the tile"], ended.stderr


def test_runner_of_a_widget_that_nobody_holds_stops_its_job(qapp, until):
    began, closed = threading.Event(), threading.Event()

    def endless():
        try:
            while True:
                began.set()
                yield step()
        finally:
            closed.set()

    widget = QObject()
    widget.itself = widget  # only the garbage collector can take it apart
    widget.runner = JobRunner(widget)
    widget.runner.start("Running on", endless)
    assert began.wait(60)
    del widget
    gc.collect()
    assert closed.wait(60)
    until(lambda: not WorkerBase._worker_set)
    assert not progress._all_instances


@pytest.fixture
def patient(qapp: Any, until: Any) -> Iterator[JobRunner]:
    runner = JobRunner(waits=True)
    yield runner
    runner.cancel()
    until(lambda: not runner.is_running and not WorkerBase._worker_set)


def test_job_that_is_waited_for_is_over_when_its_thread_has_cleaned_up(patient, until):
    told: list[Any] = []
    patient.ended.connect(told.append)
    cleaning, may_end = threading.Event(), threading.Event()

    def endless():
        try:
            while True:
                yield step()
        finally:
            cleaning.set()
            assert may_end.wait(60)

    patient.start("Running on", endless)
    patient.cancel()
    patient.cancel()
    assert [patient.is_running, patient.is_stopping, told] == [True, True, []]
    may_end.set()
    until(lambda: not patient.is_running)
    assert [outcome.kind for outcome in told] == ["cancelled"]


def test_failure_while_cleaning_up_is_told_of_a_job_that_is_waited_for(patient, until, notifications):
    told: list[Any] = []
    patient.ended.connect(told.append)
    begun = threading.Event()

    def endless():
        try:
            while True:
                yield step()
                begun.set()
        finally:
            raise DeviceError("Expected room for a checkpoint, got none; free some.")

    patient.start("Running on", endless)
    until(begun.is_set)
    patient.cancel()
    until(lambda: not patient.is_running)
    assert [outcome.kind for outcome in told] == ["failed"]
    assert "room for a checkpoint" in notifications[-1].message
