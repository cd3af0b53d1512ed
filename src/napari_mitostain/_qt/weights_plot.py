"""The histogram of a target with the thresholds of its bands, and the weight as a function of intensity over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor

from napari_mitostain._qt.themed_plot import ThemedPlot
from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting import Bands, Histogram, Statistics, tn_weights

FIRST, SECOND = "#40e0ff", "#ff5050"
"""Colours of the two thresholds, here and on the canvas."""

_CURVE_POINTS = 400

_DECIMALS = 2
"""Of a dragged multiple of σ: the form shows as many, and a pixel of the screen is more."""


class WeightsPlot(ThemedPlot):
    """Shows counts (logarithmic), µ, the two thresholds, the maximum, and the weights.

    Attributes
    ----------
    dragged : Signal(float, float)
        The multiples of σ to which the user has dragged the thresholds.
    """

    dragged = Signal(float, float)

    def __init__(self) -> None:
        super().__init__(230, ("bottom", "left", "right"))
        self.setLabel("bottom", "intensity")
        self.setLabel("left", "log₁₀ (1 + pixels)")
        self._counts = self.plot(stepMode="center", fillLevel=0, brush=(150, 150, 150, 90), pen=(150, 150, 150))
        self._weights = pg.PlotCurveItem(pen=pg.mkPen("#ffd000", width=2))
        self._over = _overlaid(self, self._weights)
        self._marks = {name: self._mark(name, "gray", False) for name in ("µ", "max")}
        self._thresholds = [self._mark("M₁", FIRST, True), self._mark("M₂", SECOND, True)]
        self._measured: Statistics | None = None
        self._show_theme()

    def show_plane(self, histogram: Histogram, measured: Statistics, edges: Bands, settings: WeightSettings) -> None:
        """Draw a plane's histogram, its thresholds, and the weight of each intensity."""
        self._measured, self._sigmas = measured, settings.sigmas
        self._counts.setData(histogram.edges, np.log10(1 + histogram.counts))
        ramp = np.linspace(measured.minimum, measured.maximum, _CURVE_POINTS)
        weights = tn_weights(ramp, settings, measured)
        self._weights.setData(ramp, weights)
        self._over.setYRange(min(0.0, float(weights.min())), max(1.0, float(weights.max())))
        _, first, second, _ = edges.edges
        for line, place in zip(self._lines(), (measured.mean, measured.maximum, first, second), strict=True):
            if not line.moving:  # the user holds it
                with QSignalBlocker(line):
                    line.setValue(place)

    def thresholds(self) -> tuple[float, float]:
        """Return where the two thresholds are drawn."""
        first, second = (float(line.value()) for line in self._thresholds)
        return first, second

    def _colour(self, colour: QColor) -> None:
        for mark in self._marks.values():
            mark.setPen(pg.mkPen(colour, style=Qt.PenStyle.DashLine))
            mark.label.setColor(colour)

    def _lines(self) -> list[Any]:
        return [*self._marks.values(), *self._thresholds]

    def _mark(self, name: str, colour: str, movable: bool) -> Any:
        line = pg.InfiniteLine(
            movable=movable,
            pen=pg.mkPen(
                colour, width=2 if movable else 1, style=Qt.PenStyle.SolidLine if movable else Qt.PenStyle.DashLine
            ),
            hoverPen=pg.mkPen(colour, width=4),
            label=name,
            labelOpts={"position": 0.93, "color": colour, "movable": False},
        )
        self.addItem(line)
        if movable:
            line.sigDragged.connect(self._tell)
        return line

    def _tell(self, line: Any) -> None:
        if self._measured is not None and self._measured.std > 0:
            place = round((float(line.value()) - self._measured.mean) / self._measured.std, _DECIMALS)
            first, second = self._sigmas  # the other stays what it is, to the last digit
            self.dragged.emit(*((place, second) if line is self._thresholds[0] else (first, place)))


def _overlaid(plot: Any, curve: Any) -> Any:
    """Lay a curve with an axis of its own, from 0 to 1 on the right, over a plot."""
    item, over = plot.getPlotItem(), pg.ViewBox()
    item.showAxis("right")
    item.getAxis("right").setLabel("weight")
    item.scene().addItem(over)
    item.getAxis("right").linkToView(over)
    over.setXLink(item)
    over.setYRange(0, 1)
    over.addItem(curve)
    item.vb.sigResized.connect(lambda: over.setGeometry(item.vb.sceneBoundingRect()))
    return over
