"""How a run goes, epoch by epoch: curves of its losses, and of its scores beside what it has to beat.

The losses differ by a factor of a hundred, and what matters of each is where it goes: each is drawn as a part of its
own largest value (on a logarithmic axis all are flat), and words below give the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_mitostain._qt.epoch_plot import EpochPlot, Line, line_up
from napari_mitostain._qt.tune_history import History, title_of

_REDRAW_MS = 1000
"""A run of tiny epochs ends many of them in a second; the eye wants fewer, and each draws the whole window anew."""


class _Kind(NamedTuple):
    name: str
    title: str
    colour: str
    told: str


_LOSSES = (
    _Kind("generator", "generator", "#e69f00", "What the generator minimises: adversarial + λ · weighted L1"),
    _Kind("adversarial", "adversarial", "#cc79a7", "How far the generator is from convincing the discriminator"),
    _Kind("l1", "weighted L1", "#3399dd", "How far the stain is from the fluorescence, without λ"),
    _Kind("discriminator", "discriminator", "#d55e00", "How often the discriminator takes stain for fluorescence"),
)
_LOSS_PARTS = {"losses": Line.SolidLine, "validation_losses": Line.DashLine}
_OPPONENT = ("generator", "adversarial", "discriminator")
"""Losses that a run without a discriminator does not have, or that are the weighted L1 over again."""

_CHOOSES = "detail_pearson"
_SCORES = (
    _Kind("pearson", "Pearson", "#8878ff", "Correlation of stain and fluorescence"),
    _Kind(_CHOOSES, "detail", "#00aa80", "Correlation of all that is finer than 12 pixels: it chooses the best epoch"),
    _Kind("ssim", "SSIM", "#b8a020", "Structural similarity of stain and fluorescence"),
)
_TO_BEAT = {"start": Line.DashLine, "variance": Line.DotLine}


class Curves(QWidget):
    """Losses and validation scores of a run over its epochs.

    Attributes
    ----------
    epochChosen : Signal(int)
        The kept epoch that lies nearest to where the user clicked, or to where the mark was dragged.
    """

    epochChosen = Signal(int)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._history = History()
        self.boxes: dict[str, QCheckBox] = {}
        self._selected: int | None = None
        self.words = (QLabel(), QLabel())
        self.losses = EpochPlot("loss / its largest")
        self.scores = EpochPlot("score", named=True)
        self.scores.setXLink(self.losses)
        line_up((self.losses, self.scores))
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REDRAW_MS)
        self._later.timeout.connect(self._draw)
        self._lay_out()
        for plot in (self.losses, self.scores):
            plot.chosen.connect(self._choose)

    def show_history(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Show a run from its start; events of other kinds than `StartScored` and `EpochDone` are passed over."""
        self._history = History(events)
        self.select(None)
        self._draw()

    def add(self, event: Mapping[str, Any]) -> None:
        """Add an event, as `Event.to_dict` gives it; it is drawn with others that come within a moment."""
        if self._history.add(event) and not self._later.isActive():
            self._later.start()

    def select(self, epoch: int | None) -> None:
        """Mark the epoch that is shown, without a word."""
        self._selected = epoch
        for plot in (self.losses, self.scores):
            plot.mark(epoch)
        self._tell()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for kinds, columns, plot, words in (
            (_LOSSES, 2, self.losses, self.words[0]),
            (_SCORES, 3, self.scores, self.words[1]),
        ):
            words.setWordWrap(True)
            layout.addLayout(self._boxes_of(kinds, columns))
            layout.addWidget(plot)
            layout.addWidget(words)
        layout.addStretch()

    def _boxes_of(self, kinds: Sequence[_Kind], columns: int) -> QGridLayout:
        """Make a legend whose entries switch their curves."""
        grid = QGridLayout()
        for number, kind in enumerate(kinds):
            swatch = QPixmap(12, 12)
            swatch.fill(QColor(kind.colour))
            box = self.boxes[kind.name] = QCheckBox(kind.title)
            box.setIcon(QIcon(swatch))
            box.setToolTip(kind.told)
            box.setChecked(True)
            box.toggled.connect(self._draw)
            grid.addWidget(box, number // columns, number % columns)
        return grid

    def _draw(self) -> None:
        self._later.stop()
        has_opponent = bool(self._history.curve("losses", "discriminator")[1].any())
        for name in _OPPONENT:
            self.boxes[name].setVisible(has_opponent)
        for kind in _LOSSES:
            drawn = [self._history.curve(part, kind.name)[1] for part in _LOSS_PARTS]
            largest = max(np.concatenate(drawn), default=0.0) or 1.0
            for part, style in _LOSS_PARTS.items():
                self._draw_curve(self.losses, part, kind, style, largest)
        for kind in _SCORES:
            self._draw_curve(self.scores, "scores", kind, Line.SolidLine)
            for beaten, style in _TO_BEAT.items():
                value = self._history.to_beat.get(beaten, {}).get(kind.name) if self._shows(kind) else None
                self.scores.level(f"{beaten} {kind.name}", value, kind.colour, style)
        best = self._history.best
        value = None if best is None else self._history.values("scores", best).get(_CHOOSES)
        self.scores.star(best, value if self.boxes[_CHOOSES].isChecked() else None)
        self._tell()

    def _draw_curve(self, plot: EpochPlot, part: str, kind: _Kind, style: Line, unit: float = 1.0) -> None:
        epochs, values = self._history.curve(part, kind.name)
        if not self._shows(kind):
            epochs, values = epochs[:0], values[:0]
        plot.curve(f"{part} {kind.name}", epochs, values / unit, kind.colour, style)

    def _tell(self) -> None:
        """Say what the values are at the epoch that is shown, else at the latest, and what the lines are."""
        for words, kinds, part, key in (
            (self.words[0], _LOSSES, "losses", "Lines: training; dashes: validation."),
            (self.words[1], _SCORES, "scores", "Dashes: starting model; dots: local variance."),
        ):
            epoch = self._selected if self._selected is not None else self._history.latest(part)
            values = self._history.values(part, epoch)
            told = [
                f"{kind.title} {values[kind.name]:.3g}"
                for kind in kinds
                if kind.name in values and not self._is_left_out(kind)
            ]
            said = f"{title_of(epoch).capitalize()}: {', '.join(told)}. " if told and epoch is not None else ""
            words.setText(said + key)

    def _shows(self, kind: _Kind) -> bool:
        return self.boxes[kind.name].isChecked() and not self._is_left_out(kind)

    def _is_left_out(self, kind: _Kind) -> bool:
        return self.boxes[kind.name].isHidden()

    def _choose(self, epoch: float) -> None:
        nearest = self._history.nearest_kept(epoch)
        if nearest is not None:
            self.epochChosen.emit(nearest)
