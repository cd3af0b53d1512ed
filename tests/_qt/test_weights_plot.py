"""The histogram with its thresholds, and the weights over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent

from napari_mitostain._qt.weights_plot import WeightsPlot
from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting import bands, histogram, statistics, tn_weights

CHOSEN = WeightSettings(a=(0.1, 0.2, 0.3), b=(0.0, 0.4, 0.6), sigmas=(0.5, 2.0))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).gamma(0.6, 200, (60, 60)).astype(np.uint16)


@pytest.fixture
def plot(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> WeightsPlot:
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", 0)  # every move of the mouse counts
    plot = WeightsPlot()
    qtbot.addWidget(plot)
    plot.resize(330, 230)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


@pytest.fixture
def dragged(plot: WeightsPlot) -> list[tuple[float, float]]:
    told: list[tuple[float, float]] = []
    plot.dragged.connect(lambda first, second: told.append((first, second)))
    return told


def show(plot: WeightsPlot, image: np.ndarray, settings: WeightSettings = CHOSEN) -> Any:
    measured = statistics(image)
    plot.show_plane(histogram(image, measured), measured, bands(measured, settings), settings)
    return measured


def drag(plot: WeightsPlot, line: Any, to: float) -> None:
    """Drag a line by the mouse to an intensity."""
    box = plot.getPlotItem().vb
    QCoreApplication.processEvents()  # pyqtgraph lays out late

    def pixel(intensity: float) -> Any:
        middle = box.viewRange()[1][0] + 0.4 * np.diff(box.viewRange()[1])[0]
        return plot.mapFromScene(box.mapViewToScene(QPointF(intensity, middle)))

    def send(kind: QEvent.Type, at: QPointF, held: bool) -> None:
        button = Qt.MouseButton.LeftButton if kind != QEvent.Type.MouseMove else Qt.MouseButton.NoButton
        buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
        on_screen = QPointF(plot.viewport().mapToGlobal(at.toPoint()))
        event = QMouseEvent(kind, at, on_screen, button, buttons, Qt.KeyboardModifier.NoModifier)
        QCoreApplication.sendEvent(plot.viewport(), event)

    begin, end = QPointF(pixel(line.value())), QPointF(pixel(to))
    plot.scene().minDragTime = 0
    send(QEvent.Type.MouseMove, begin, False)
    send(QEvent.Type.MouseButtonPress, begin, True)
    for step in range(1, 11):
        send(QEvent.Type.MouseMove, begin + (end - begin) * (step / 10), True)
    send(QEvent.Type.MouseButtonRelease, end, False)


def test_marks_lie_on_the_statistics_and_the_thresholds(plot, image):
    measured = show(plot, image)
    assert {name: line.value() for name, line in plot._marks.items()} == {"µ": measured.mean, "max": measured.maximum}
    # µ + 0.5 σ and µ + 2 σ: the same sums in float64
    assert plot.thresholds() == (measured.mean + 0.5 * measured.std, measured.mean + 2 * measured.std)


def test_counts_are_drawn_logarithmically(plot, image):
    measured = show(plot, image)
    counted = histogram(image, measured)
    edges, heights = plot._counts.getData()
    np.testing.assert_array_equal(edges, counted.edges)
    np.testing.assert_allclose(10**heights - 1, counted.counts, atol=1e-6)  # float64 of counts below 4000


def test_the_curve_is_the_weight_of_each_intensity(plot, image):
    measured = show(plot, image)
    intensities, weights = plot._weights.getData()
    assert (intensities[0], intensities[-1]) == (measured.minimum, measured.maximum)
    np.testing.assert_array_equal(weights, tn_weights(intensities, CHOSEN, measured))


def test_weights_outside_0_to_1_are_in_sight(plot, image):
    show(plot, image, WeightSettings(a=(0.2, 0.5, 2.0), b=(-0.5, 0.2, 0.7)))
    weights = plot._weights.getData()[1]
    low, high = plot._over.viewRange()[1]
    assert low <= weights.min()
    assert high >= weights.max()
    show(plot, image, WeightSettings())
    low, high = plot._over.viewRange()[1]
    assert low == pytest.approx(0, abs=0.1)  # pyqtgraph's padding
    assert high == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("which", "factor"), [(0, 1.2), (1, 4.0)])
def test_dragging_a_line_tells_the_multiples_of_sigma(plot, image, dragged, which, factor):
    measured = show(plot, image)
    drag(plot, plot._thresholds[which], measured.mean + factor * measured.std)
    assert dragged
    # one pixel of the screen is this much of σ
    pixel = plot.getPlotItem().vb.viewPixelSize()[0] / measured.std
    assert dragged[-1][which] == pytest.approx(factor, abs=2 * pixel)
    assert {told[1 - which] for told in dragged} == {(0.5, 2.0)[1 - which]}  # the other stays, to the last digit


def test_the_line_that_the_user_holds_is_not_taken_away(plot, image, dragged):
    measured = show(plot, image)
    line = plot._thresholds[0]
    line.moving = True
    line.setValue(5.0)
    show(plot, image)
    assert line.value() == 5.0
    line.moving = False
    show(plot, image)
    assert line.value() == measured.mean + 0.5 * measured.std
    assert dragged == []  # to be shown is not to be dragged


@pytest.mark.parametrize("image", [np.full((5, 5), 7, np.uint8), np.full((5, 5), 0.5), np.full((5, 5), np.nan)])
def test_plane_without_contrast_is_shown_and_has_no_thresholds_to_drag(plot, image, dragged):
    show(plot, image)
    plot._thresholds[1].setValue(99)
    plot._thresholds[1].sigDragged.emit(plot._thresholds[1])
    assert dragged == []
