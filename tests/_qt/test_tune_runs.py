"""The list of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_mitostain._qt import tune_runs
from napari_mitostain._qt.run_summary import RunSummary
from napari_mitostain._qt.tune_runs import RunsList

HEART, LIVER = (RunSummary(Path("/runs") / name, "finished", epochs=2) for name in ("heart", "liver"))


@pytest.fixture
def runs(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The list, with what there is to read in `there`."""
    there: list[RunSummary] = []
    monkeypatch.setattr(tune_runs, "read_runs", lambda _: list(there))
    runs = RunsList()
    qtbot.addWidget(runs)
    runs.there = there
    runs.told = []
    runs.chosen.connect(runs.told.append)
    return runs


@pytest.fixture
def refresh(runs: Any, until: Any) -> Any:
    def refresh() -> None:
        runs.refresh()
        until(lambda: not runs.is_busy)

    return refresh


def test_without_runs_it_says_how_to_begin(runs, refresh):
    refresh()
    assert [runs.list.isHidden(), runs.empty.isHidden(), runs.path] == [True, False, None]


def test_newest_is_chosen_at_first_and_a_choice_stays(runs, refresh):
    runs.there[:] = [HEART]
    refresh()
    assert runs.told == [HEART.path]
    runs.there[:] = [LIVER, HEART]
    refresh()
    assert runs.told == [HEART.path]
    runs.list.setCurrentRow(0)
    assert runs.told == [HEART.path, LIVER.path]
    runs.there[:] = [HEART]
    refresh()
    assert runs.told[-1] == HEART.path
    runs.there.clear()
    refresh()
    assert runs.told[-1] is None


def test_run_can_be_chosen_before_it_is_listed(runs, refresh, until):
    runs.there[:] = [HEART]
    refresh()
    runs.choose(LIVER.path)
    until(lambda: not runs.is_busy)
    assert runs.path == HEART.path
    runs.there[:] = [LIVER, HEART]
    refresh()
    assert runs.path == LIVER.path
    runs.list.setCurrentRow(1)
    refresh()
    assert runs.path == HEART.path


def test_list_is_read_when_it_comes_into_view_only(runs, until):
    runs.there[:] = [HEART]
    runs.show()
    until(lambda: runs.path == HEART.path)
    assert runs._timer.isActive()
    runs.hide()
    assert not runs._timer.isActive()
