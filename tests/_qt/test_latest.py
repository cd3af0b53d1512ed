"""Answers to the latest of many questions."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from napari.qt.threading import WorkerBase
from qtpy.QtCore import QCoreApplication, QEvent, QThreadPool

from napari_mitostain._qt.latest import Latest


@pytest.fixture
def latest(qapp: Any, until: Any, hold: Any) -> Iterator[Latest]:
    yield Latest()
    hold.let()
    until(lambda: not WorkerBase._worker_set and QThreadPool.globalInstance().activeThreadCount() == 0)


@pytest.fixture
def told(latest: Latest) -> list[Any]:
    """Answers and errors, in the order they came."""
    told: list[Any] = []
    latest.answered.connect(told.append)
    latest.failed.connect(told.append)
    return told


def same(value: Any) -> Any:
    return value


def test_answer_is_found_in_a_thread_and_told_on_the_main_one(latest, told, until):
    threads = []
    latest.answered.connect(lambda _: threads.append(threading.current_thread()))
    latest.ask(threading.current_thread)
    assert latest.is_busy
    until(lambda: not latest.is_busy)
    assert threads == [threading.main_thread()]
    assert told[0] is not threading.main_thread()


def test_of_many_questions_the_first_and_the_last_are_asked(latest, told, hold, until):
    for number in range(100):
        latest.ask(partial(hold.hold(same), number))
    hold.let()
    until(lambda: not latest.is_busy)
    assert hold.asked == [(0,), (99,)]
    assert told == [0, 99]


def test_what_is_asked_from_an_answer_is_answered(latest, told, until):
    latest.answered.connect(lambda number: latest.ask(partial(same, number + 1)) if number < 3 else None)
    latest.ask(partial(same, 0))
    until(lambda: not latest.is_busy)
    assert told == [0, 1, 2, 3]


def test_dropped_question_is_never_answered(latest, told, hold, until, qtbot):
    latest.ask(partial(hold.hold(same), "old"))
    latest.ask(partial(hold.hold(same), "waiting"))
    hold.wait()
    latest.drop()
    assert not latest.is_busy
    latest.ask(partial(same, "new"))  # does not wait for the dropped one
    until(lambda: not latest.is_busy)
    hold.let()
    until(lambda: not WorkerBase._worker_set)
    qtbot.wait(50)  # for what would still be under way to the main thread
    assert told == ["new"]
    assert hold.asked == [("old",)]


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("CUDA out of memory"), StopIteration()])
def test_error_is_told_and_the_next_question_asked(latest, told, hold, until, error):
    def failing() -> None:
        raise error

    latest.ask(hold.hold(failing))
    latest.ask(partial(same, "next"))
    hold.let()
    until(lambda: not latest.is_busy)
    assert told == [error, "next"]


def test_deleted_while_a_question_is_asked(latest, told, hold, until, qtbot):
    latest.ask(partial(hold.hold(same), 1))
    hold.wait()
    latest.deleteLater()
    QCoreApplication.sendPostedEvents(latest, QEvent.Type.DeferredDelete)
    hold.let()
    until(lambda: not WorkerBase._worker_set)
    qtbot.wait(50)
    assert told == []


def test_images_of_a_question_and_its_answer_are_let_go(latest, until):
    image = np.zeros(10)
    kept = [weakref.ref(image)]
    latest.answered.connect(lambda answer: kept.append(weakref.ref(answer)))
    latest.ask(partial(np.add, image, 1))
    del image
    until(lambda: not latest.is_busy and not WorkerBase._worker_set)
    QCoreApplication.processEvents()
    gc.collect()
    assert [reference() for reference in kept] == [None, None]
