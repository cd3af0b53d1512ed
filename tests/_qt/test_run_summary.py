"""What is told of a run, read from its folder."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_mitostain._qt.run_summary import RunSummary, read_details, read_runs, summary_of, told_of, when
from napari_mitostain.config import TrainSettings
from napari_mitostain.events import EpochDone, Notice, StartScored
from napari_mitostain.training.registry import remember
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig


def epoch(number: int, best: bool, **more: Any) -> EpochDone:
    scores = {"pearson": 0.5 + number / 100, "detail_pearson": 0.3}
    return EpochDone(epoch=number, fraction=(number + 1) / 4, losses={}, scores=scores, best=best, **more)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "heart")
    run.prepare()
    run.write_config(RunConfig(TrainSettings(minutes=3), None, "given pairs"))
    for event in (
        Notice(message="A notice."),
        StartScored(scores={"start": {"pearson": 0.4}}),
        epoch(0, True),
        epoch(1, True),
        epoch(2, False),
    ):
        run.log(event)
    remember(run.path)
    return run


def test_run_is_summed_up(run):
    summary = summary_of(run.path)
    assert (summary.name, summary.epochs, summary.fraction, summary.best) == ("heart", 3, 0.75, 1)
    assert summary.scores["pearson"] == 0.51
    assert summary.to_beat == {"start": {"pearson": 0.4}}
    assert not summary.in_epochs
    assert summary.notices == ("A notice.",)
    assert summary.state == "damaged"  # it has no checkpoint
    assert summary.to_text().startswith("heart – damaged, 75%\n3 epochs, Pearson 0.51, detail 0.30; ")


def test_details_hold_what_is_shown(run):
    details = read_details(run.path)
    assert [event["event"] for event in details.events] == ["Notice", "StartScored", *["EpochDone"] * 3]
    assert details.card == "There is no model yet: the first comes with the first epoch that is validated."


def test_run_that_cannot_be_understood_does_not_hide_the_others(run, tmp_path):
    other = RunFolder(tmp_path / "other")
    other.prepare()
    other.write_config(RunConfig(TrainSettings(epochs=3), None, "given pairs"))
    (other.path / "events.jsonl").write_text(json.dumps({"event": "EpochDone"}) + "\n")
    remember(other.path)
    assert [(summary.name, summary.state) for summary in read_runs()] == [("other", "damaged"), ("heart", "damaged")]


def test_run_that_rests_is_not_read_again(run):
    (before,) = read_runs()
    (again,) = read_runs({run.path: before})
    assert again is before
    run.log(epoch(3, False))
    (later,) = read_runs({run.path: before})
    assert later.epochs == 4
    with run.lock():
        (running,) = read_runs({run.path: replace(before, state="running")})
        assert running.state == "running"
    (stopped,) = read_runs({run.path: running})
    assert stopped.state == "damaged"


def test_words_say_where_the_best_model_is():
    run = RunSummary(Path("/runs/heart"), "unfinished", fraction=0.5, best=7, scores={"detail_pearson": 0.3})
    assert told_of(run) == (
        "Unfinished, 50% is done: Resume goes on from the last checkpoint. The best model so far is that of epoch 7 "
        "(detail Pearson 0.300), in /runs/heart/model.safetensors."
    )


def test_time_of_today_and_date_of_another_day():
    assert when(0) == "just begun"
    assert len(when(time.time())) == len("12:34")
    assert when(time.time() - 3 * 86400).count("-") == 2
