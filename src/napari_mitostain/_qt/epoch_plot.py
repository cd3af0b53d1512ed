"""A plot over the epochs of a run: curves, levels, a mark on the epoch that is shown, a star on the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor

from napari_mitostain._qt.themed_plot import ThemedPlot

_HEIGHT_PX, _NAME_PX = 140, 20
_DOTTED_BELOW = 40
"""Points of a curve up to which each is seen."""

_MOST_POINTS = 400
"""Of a curve; the plot has few more pixels, and drawing takes as long as there are points."""

_WIDTH = 1.5

Line = Qt.PenStyle


class EpochPlot(ThemedPlot):
    """Draws what it is told; clicking it, or dragging its mark, chooses an epoch.

    Parameters
    ----------
    label : str
        Of the vertical axis.
    named : bool
        Whether the axis of epochs says what it is.

    Attributes
    ----------
    chosen : Signal(float)
        Where on the axis of epochs the user clicked, or dragged the mark to.
    """

    chosen = Signal(float)

    def __init__(self, label: str, named: bool = False) -> None:
        super().__init__(_HEIGHT_PX + (_NAME_PX if named else 0), ("bottom", "left"))
        self.setLabel("left", label)
        self.setLabel("bottom", "epoch" if named else None)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self._curves: dict[str, Any] = {}
        self._levels: dict[str, Any] = {}
        self._mark = pg.InfiniteLine(movable=True)
        self._mark.hide()
        self._star = pg.ScatterPlotItem(symbol="star", size=15)
        self._star.setZValue(10)
        for item in (self._mark, self._star):
            self.addItem(item, ignoreBounds=item is self._mark)
        self._mark.sigDragged.connect(lambda line: self.chosen.emit(float(line.value())))
        self.scene().sigMouseClicked.connect(self._on_click)
        self._show_theme()

    def curve(self, name: str, epochs: NDArray[Any], values: NDArray[Any], colour: str, style: Line) -> None:
        """Draw a curve in place of the one of its name."""
        item = self._curves.get(name)
        if item is None:
            item = self._curves[name] = pg.PlotDataItem(pen=pg.mkPen(colour, width=_WIDTH, style=style), antialias=True)
            item.setSymbolPen(None)
            item.setSymbolBrush(colour)
            item.setSymbolSize(5)
            self.addItem(item)
        item.setSymbol("o" if len(epochs) < _DOTTED_BELOW else None)
        item.setData(_thinned(epochs), _thinned(values))

    def level(self, name: str, value: float | None, colour: str, style: Line) -> None:
        """Draw a horizontal line, or none."""
        if (line := self._levels.pop(name, None)) is not None:
            self.removeItem(line)
        if value is not None:
            line = self._levels[name] = pg.InfiniteLine(value, 0, pg.mkPen(colour, style=style))
            self.addItem(line)

    def mark(self, epoch: int | None) -> None:
        """Mark an epoch, or none (nor the start), unless the user holds the mark."""
        if not self._mark.moving:
            with QSignalBlocker(self._mark):
                self._mark.setVisible(epoch is not None and epoch >= 0)
                self._mark.setValue(epoch or 0)

    def star(self, epoch: int | None, value: float | None) -> None:
        """Set a star on a point, or none."""
        is_there = epoch is not None and value is not None
        self._star.setData([epoch] if is_there else [], [value] if is_there else [])

    def _on_click(self, event: Any) -> None:
        box = self.getPlotItem().vb
        if event.button() == Qt.MouseButton.LeftButton and box.sceneBoundingRect().contains(event.scenePos()):
            self.chosen.emit(float(box.mapSceneToView(event.scenePos()).x()))

    def _colour(self, colour: QColor) -> None:
        self._mark.setPen(pg.mkPen(colour, width=1))
        self._mark.setHoverPen(pg.mkPen(colour, width=3))
        self._star.setPen(pg.mkPen(colour, width=1))
        self._star.setBrush("#ffd000")


def line_up(plots: Sequence[EpochPlot]) -> None:
    """Keep the space of the vertical axes equally wide in plots above each other, so that an epoch lies above itself.

    An axis is as wide as its numbers need, which change with what is drawn.
    """

    def follow() -> None:
        width = max(plot.getAxis("left").maximumWidth() for plot in plots)
        for plot in plots:
            plot.getPlotItem().layout.setColumnMinimumWidth(0, width)

    for plot in plots:
        axis = plot.getAxis("left")
        plot.getPlotItem().layout.setAlignment(axis, Qt.AlignmentFlag.AlignRight)
        axis.geometryChanged.connect(follow)


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Take means over as many neighbours as leaves few enough points; the last group may be smaller."""
    step = -(-len(values) // _MOST_POINTS)
    if step <= 1:
        return values
    starts = np.arange(0, len(values), step)
    means: NDArray[Any] = np.add.reduceat(values, starts) / np.diff([*starts, len(values)])
    return means
