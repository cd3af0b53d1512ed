"""What the check has found, as it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_mitostain._qt.tune_check import CheckView
from napari_mitostain.events import Finding


@pytest.fixture
def view(qtbot: Any) -> CheckView:
    view = CheckView()
    qtbot.addWidget(view)
    return view


def shown(view: CheckView) -> list[str]:
    return [row.label.text().replace("\u200b", "") for row in view.rows]


def test_findings_are_shown_as_they_come_the_worst_first(view):
    view.add([Finding(severity="note", message="n"), Finding(severity="warning", message="w <b>.")])
    view.add([Finding(severity="error", message="e")])
    assert shown(view) == ["e", "w <b>.", "n"]
    assert all(not row.icon.pixmap().isNull() for row in view.rows)
    assert [finding.message for finding in view.errors] == ["e"]
    view.clear()
    assert [shown(view), view.errors] == [[], []]


def test_many_findings_do_not_fill_the_dock(view):
    view.add([Finding(severity="error", message=f"{number}") for number in range(500)])
    assert len(view.rows) == 13
    assert shown(view)[-1] == "488 more findings like these."
    assert len(view.errors) == 500


def test_misalignment_has_a_picture_and_a_button(view):
    told: list[Any] = []
    view.shiftAsked.connect(lambda *asked: told.append(asked))
    picture = np.zeros((40, 81, 3), np.uint8)
    view.add([Finding(severity="warning", message="m", acquisition="a", shift=(3, -4), picture=picture)])
    (row,) = view.rows
    assert row.picture is not None
    assert (row.picture.pixmap().width(), row.picture.pixmap().height()) == (81, 40)
    assert row.button is not None
    assert row.button.text() == "Shift by (3, -4)"
    row.button.click()
    assert told == [("a", (3, -4))]


def test_picture_follows_the_width_of_the_dock(view, qtbot):
    view.add([Finding(severity="warning", message="m", picture=np.zeros((256, 513, 3), np.uint8))])
    view.resize(260, 400)
    view.show()
    (row,) = view.rows
    assert row.picture is not None
    qtbot.waitUntil(lambda: 200 < row.picture.pixmap().width() <= 260)
    assert row.picture.height() == row.picture.pixmap().height()


def test_long_paths_break(view):
    view.add([Finding(severity="error", message="Expected " + "/a_long_name" * 40)])
    assert view.minimumSizeHint().width() < 200


def test_progress_gives_way_to_the_split(view):
    view.progress(0.5)
    assert [view.bar.isHidden(), view.bar.value()] == [False, 500]
    view.finish("8 pairs. Split by acquisition: a validates.")
    assert [view.bar.isHidden(), view.words.text()] == [True, "8 pairs. Split by acquisition: a validates."]
