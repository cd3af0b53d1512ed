"""A plot in the colours of napari's theme."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor, QPalette

_MARGIN_PX = 3
"""Beside the axes: pyqtgraph lets their names hang over by some pixels, and the edge of the widget cuts them."""


class ThemedPlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot that zooms along its horizontal axis only, and follows the theme once `_show_theme` was called.

    Parameters
    ----------
    height : int
        In pixels.
    sides : sequence of str
        Where it has axes: "bottom", "left", "right".
    """

    _is_made = False

    def __init__(self, height: int, sides: Sequence[str]) -> None:
        super().__init__(background=None)
        self._sides = sides
        self.setFixedHeight(height)
        self.getPlotItem().layout.setContentsMargins(_MARGIN_PX, 1, _MARGIN_PX, _MARGIN_PX)
        self.setMenuEnabled(False)
        self.setMouseEnabled(x=True, y=False)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow napari's theme."""
        super().changeEvent(event)
        changes = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange)
        if self._is_made and event is not None and event.type() in changes:
            self._show_theme()

    def _show_theme(self) -> None:
        """Draw in the colour of the theme's text, from now on."""
        self._is_made = True
        colour = self.palette().color(QPalette.ColorRole.WindowText)
        for side in self._sides:
            axis = self.getAxis(side)
            axis.setPen(colour)
            axis.setTextPen(colour)
        self._colour(colour)

    def _colour(self, colour: QColor) -> None:
        """Draw what is beside the axes in a colour."""
        raise NotImplementedError
