"""Curves of a run: what is drawn, what a click chooses, how little a thousand epochs cost."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtTest import QTest

from napari_mitostain._qt.tune_curves import Curves
from napari_mitostain._qt.tune_history import START, History, nearest, title_of

STARTED = {
    "event": "StartScored",
    "time": 0.0,
    "scores": {"start": {"pearson": 0.6, "detail_pearson": 0.3}, "variance": {"pearson": 0.4, "detail_pearson": 0.1}},
}


LOSSES = {"generator": 3.0, "adversarial": 0.4, "l1": 0.03, "discriminator": 0.2}


def done(epoch: int, detail: float | None = None, best: bool = False, **losses: float) -> dict[str, Any]:
    """What an epoch says; one that has a score is kept."""
    named = LOSSES | losses
    scores = {} if detail is None else {"pearson": detail + 0.3, "detail_pearson": detail, "ssim": 0.5, "psnr": 20.0}
    return {
        "event": "EpochDone",
        "time": float(epoch),
        "epoch": epoch,
        "fraction": 0.1,
        "losses": named,
        "scores": scores,
        "validation_losses": {} if detail is None else {name: 1.5 * value for name, value in named.items()},
        "model": "" if detail is None else f"epoch-{epoch:04d}",
        "best": best,
    }


@pytest.fixture
def curves(qtbot: Any) -> Curves:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(300, 600)
    curves.show()
    qtbot.waitExposed(curves)
    return curves


@pytest.fixture
def chosen(curves: Curves) -> list[int]:
    told: list[int] = []
    curves.epochChosen.connect(told.append)
    return told


def drawn(plot: Any, name: str) -> tuple[list[float], list[float]]:
    epochs, values = plot._curves[name].getData()
    return ([], []) if epochs is None else ([*epochs], [*values])


RUN = [STARTED, done(0, 0.2, True), done(1), done(2), done(3, 0.4, True, l1=0.06), done(4), done(5, 0.35)]


def test_losses_are_drawn_as_parts_of_the_largest_in_training_and_validation(curves):
    curves.show_history(RUN)
    largest = 1.5 * 0.06  # in validation
    epochs, values = drawn(curves.losses, "losses l1")
    assert epochs == [0, 1, 2, 3, 4, 5]
    assert values == pytest.approx([loss / largest for loss in (0.03, 0.03, 0.03, 0.06, 0.03, 0.03)])
    epochs, values = drawn(curves.losses, "validation_losses l1")
    assert epochs == [0, 3, 5]
    assert values == pytest.approx([0.5, 1.0, 0.5])
    curves.show_history([done(0), done(1, l1=0.06)])  # nothing was validated
    assert drawn(curves.losses, "losses l1") == ([0, 1], [0.5, 1.0])


@pytest.mark.parametrize("least", [0.9, 0.99, 0.999])
def test_numbers_of_an_axis_are_beside_its_name_and_epochs_above_each_other(curves, until, least):
    curves.show_history([done(0), done(1, **{name: least * value for name, value in LOSSES.items()})])
    curves.grab()  # the axis learns from drawing how long its numbers are
    for plot in (curves.losses, curves.scores):
        until(lambda plot=plot: _gap(plot) >= 0)
    until(lambda: curves.losses.getPlotItem().vb.x() == curves.scores.getPlotItem().vb.x())


def _gap(plot: Any) -> float:
    """Return how far the numbers of the vertical axis are from its name."""
    axis, picture = plot.getAxis("left"), QPixmap(1, 1)
    painter = QPainter(picture)
    _, _, numbers = axis.generateDrawSpecs(painter)
    painter.end()
    return float(min(rect.left() for rect, *_ in numbers) - _line(axis.label, axis.label.mapRectToParent).right())


def _line(label: Any, mapped: Any) -> Any:
    """Return where the line of a label is, in the coordinates that it is mapped to."""
    margin = label.document().documentMargin()
    return mapped(label.boundingRect().adjusted(margin, margin, -margin, -margin))


def test_name_of_the_epochs_is_within_the_plot(curves, until):
    curves.show_history(RUN)
    curves.grab()
    label, bottom = curves.scores.getAxis("bottom").label, curves.scores.viewport().height() - 1
    until(lambda: _line(label, label.mapRectToScene).bottom() <= bottom)


def test_scores_are_drawn_beside_what_they_have_to_beat(curves):
    curves.show_history(RUN)
    assert drawn(curves.scores, "scores detail_pearson") == ([0, 3, 5], [0.2, 0.4, 0.35])
    levels = {name: line.value() for name, line in curves.scores._levels.items()}
    assert levels == {
        "start pearson": 0.6,
        "start detail_pearson": 0.3,
        "variance pearson": 0.4,
        "variance detail_pearson": 0.1,
    }


def test_star_is_on_the_best_epoch(curves):
    curves.show_history(RUN)
    assert [*zip(*curves.scores._star.getData(), strict=True)] == [(3, 0.4)]


def test_words_tell_the_numbers_of_the_epoch_that_is_shown_else_of_the_last_that_has_any(curves):
    curves.show_history(RUN)
    assert "weighted L1 0.03," in curves.words[0].text()
    assert "Pearson 0.65, detail 0.35, SSIM 0.5." in curves.words[1].text()
    curves.select(3)
    assert "weighted L1 0.06," in curves.words[0].text()
    assert "detail 0.4," in curves.words[1].text()
    curves.select(4)
    assert "detail" not in curves.words[1].text()  # it was not scored


def test_events_are_drawn_soon_and_many_at_once(curves, until, monkeypatch):
    draws = []
    monkeypatch.setattr(curves.losses, "curve", lambda name, *_: draws.append(name))
    for event in RUN:
        curves.add(event)
    until(lambda: len(draws) > 0)
    assert draws.count("losses l1") == 1
    assert drawn(curves.scores, "scores pearson")[0] == [0, 3, 5]


def test_other_events_cost_nothing(curves):
    curves.add({"event": "Notice", "time": 0.0, "message": "Hello."})
    assert not curves._later.isActive()


def test_curve_is_switched_off_by_its_entry_of_the_legend(curves):
    curves.show_history(RUN)
    curves.boxes["detail_pearson"].click()
    assert drawn(curves.scores, "scores detail_pearson") == ([], [])
    assert {*curves.scores._levels} == {"start pearson", "variance pearson"}
    assert len(curves.scores._star.getData()[0]) == 0
    curves.boxes["detail_pearson"].click()
    assert drawn(curves.scores, "scores detail_pearson")[0] == [0, 3, 5]


def pixel(plot: Any, epoch: float) -> Any:
    box = plot.getPlotItem().vb
    middle = float(np.mean(box.viewRange()[1]))
    return plot.mapFromScene(box.mapViewToScene(QPointF(epoch, middle)))


@pytest.mark.parametrize("which", ["losses", "scores"])
@pytest.mark.parametrize(("clicked", "expected"), [(0.2, 0), (1.6, 3), (4.6, 5)])
def test_click_chooses_the_nearest_kept_epoch(curves, chosen, qtbot, which, clicked, expected):
    curves.show_history(RUN)
    qtbot.wait(50)  # pyqtgraph lays out late
    plot = getattr(curves, which)
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=pixel(plot, clicked))
    assert chosen == [expected]


def test_click_chooses_nothing_where_no_epoch_is_kept(curves, chosen, qtbot):
    curves.show_history([done(0), done(1)])
    qtbot.wait(50)
    QTest.mouseClick(curves.losses.viewport(), Qt.MouseButton.LeftButton, pos=pixel(curves.losses, 0.5))
    assert chosen == []


def test_dragged_mark_chooses_epochs(curves, chosen):
    curves.show_history(RUN)
    curves.select(0)
    line = curves.scores._mark
    line.setValue(2.8)
    line.sigDragged.emit(line)
    assert chosen == [3]


def test_mark_shows_an_epoch_without_choosing_it(curves, chosen):
    curves.show_history(RUN)
    curves.select(3)
    assert [(plot._mark.isVisible(), plot._mark.value()) for plot in (curves.losses, curves.scores)] == [(True, 3)] * 2
    for nothing in (None, START):
        curves.select(nothing)
        assert not curves.losses._mark.isVisible()
    assert chosen == []


def test_another_run_takes_the_place_of_the_first(curves):
    curves.show_history(RUN)
    curves.select(3)
    curves.show_history([done(0)])
    assert drawn(curves.scores, "scores pearson") == ([], [])
    assert curves.scores._levels == {}
    assert not curves.scores._mark.isVisible()


@pytest.mark.parametrize("events", [[], [STARTED], [done(0, generator=0.0)], [done(0, math.nan)]])
def test_run_with_hardly_anything_to_draw(curves, events):
    curves.show_history(events)
    curves.grab()


def test_run_without_a_discriminator_has_no_curves_of_one(curves):
    alone = {"adversarial": 0.0, "discriminator": 0.0}
    curves.show_history([done(0, **alone), done(1, **alone)])
    assert drawn(curves.losses, "losses discriminator") == ([], [])
    assert drawn(curves.losses, "losses l1")[0] == [0, 1]
    assert [name for name, box in curves.boxes.items() if box.isVisible()] == [
        "l1",
        "pearson",
        "detail_pearson",
        "ssim",
    ]
    assert "discriminator" not in curves.words[0].text()
    curves.show_history([done(0)])
    assert curves.boxes["discriminator"].isVisible()
    assert "discriminator 0.2" in curves.words[0].text()


def test_an_epoch_of_thousands_costs_a_few_milliseconds(curves):
    rng = np.random.default_rng(0)
    events = [done(epoch, 0.3 if epoch % 20 == 0 else None, l1=rng.random()) for epoch in range(4000)]
    curves.show_history(events)
    for measured, bound in ((lambda: curves.add(done(4000)), 0.002), (curves._draw, 0.05)):
        best = min(_timed(measured) for _ in range(3))
        assert best < bound  # 0.1 and 5 ms on an idle machine


def _timed(work: Any) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def test_long_curves_are_thinned_by_means(curves):
    curves.show_history([done(epoch, l1=1.0 + epoch % 2) for epoch in range(2000)])
    epochs, values = drawn(curves.losses, "losses l1")
    assert 300 < len(epochs) <= 400
    assert epochs[0] == 2  # of epochs 0 to 4
    np.testing.assert_allclose(values, 0.75, atol=0.051)  # means of five values of 0.5 and 1


# ---------------------------------------------------------------- what is known of epochs


def test_run_that_went_back_to_a_checkpoint_does_its_epochs_again():
    history = History([*RUN, done(3), done(4, 0.5, True)])
    assert history.epochs == [0, 1, 2, 3, 4]
    assert (history.kept, history.best) == ([0, 4], 4)
    assert history.curve("scores", "detail_pearson")[1].tolist() == [0.2, 0.5]


def test_best_is_the_one_before_where_the_run_went_back_beyond_it():
    assert History([*RUN, done(2)]).best == 0
    assert History(RUN[:1]).best is None


def test_values_are_those_of_the_epoch():
    history = History(RUN)
    assert history.values("scores", 3)["detail_pearson"] == 0.4
    assert history.values("scores", 4) == history.values("scores", 99) == History().values("scores") == {}


@pytest.mark.parametrize(("at", "expected"), [(-3, 0), (2, 3), (1.6, 3), (7, 5), (4, 5)])
def test_nearest(at, expected):
    assert nearest([0, 3, 5], at) == expected


def test_titles():
    assert [title_of(START), title_of(12), nearest([], 3)] == ["starting model", "epoch 12", None]
