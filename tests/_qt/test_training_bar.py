"""What trains now, in words and buttons."""

from __future__ import annotations

from typing import Any

import pytest

from napari_mitostain._qt.training_bar import TrainingBar
from napari_mitostain.errors import DeviceError
from napari_mitostain.events import EpochDone, Measured, RunStarted, StepDone

STARTED = RunStarted(output="/runs/heart", training=3, validation=1, acquisitions={})


@pytest.fixture
def bar(qtbot: Any) -> TrainingBar:
    bar = TrainingBar()
    qtbot.addWidget(bar)
    bar.begin("heart")
    return bar


def buttons(bar: TrainingBar) -> list[str]:
    return [button.text() for button in (bar.pause, bar.stop) if not button.isHidden() and button.isEnabled()]


def test_says_what_the_run_does(bar):
    assert [bar.title.text(), bar.words.text(), buttons(bar)] == [
        "Training heart",
        "preparing…",
        ["Pause", "Stop"],
    ]
    bar.receive([Measured(done=2, total=8)])
    assert bar.words.text() == "reading pairs: 2 of 8"
    bar.receive([STARTED, StepDone(step=1, fraction=0.1)])
    bar.progress(0.1, 100)
    assert bar.words.text() == "about 2 min left"
    bar.receive([Measured(done=1, total=2)])
    assert bar.words.text() == "scoring: 1 of 2"
    bar.receive([EpochDone(epoch=3, fraction=0.5, losses={}, scores={}), StepDone(step=2, fraction=0.5)])
    assert bar.words.text() == "4 epochs done, about 2 min left"
    assert bar.bar.value() == 100


def test_says_that_it_stops_whatever_still_comes(bar):
    bar.wait()
    bar.receive([STARTED, StepDone(step=1, fraction=0.1)])
    bar.progress(0.2, 5)
    assert bar.words.text() == "stopping at a checkpoint…"
    assert buttons(bar) == []


@pytest.mark.parametrize(
    ("kind", "words", "left"),
    [
        ("paused", "Paused at a checkpoint", ["Resume"]),
        ("stopped", "stays in the list", []),
        ("done", "Done.", []),
        ("failed", "no GPU", []),
        ("in vain", "nothing was kept", []),
    ],
)
def test_says_how_it_ended(bar, kind, words, left):
    bar.wait()
    bar.end(kind, DeviceError("no GPU") if kind == "failed" else None)
    assert words in bar.words.text()
    assert buttons(bar) == left


def test_button_asks_to_pause_or_to_resume(bar, qtbot):
    with qtbot.waitSignal(bar.pauseAsked):
        bar.pause.click()
    bar.end("paused", None)
    with qtbot.waitSignal(bar.resumeAsked):
        bar.pause.click()
    bar.begin("heart")
    with qtbot.waitSignal(bar.stopAsked):
        bar.stop.click()
