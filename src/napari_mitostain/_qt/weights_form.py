"""The form of the weight map: an editor of one `WeightSettings`."""

from __future__ import annotations

from typing import Any, get_args

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout
from superqt import QLabeledDoubleSlider

from napari_mitostain._qt.rows import QuietForm
from napari_mitostain.config import Scope, WeightSettings

_RISE, _START, _SIGMAS = (-0.5, 1.0), (0.0, 1.0), (0.0, 6.0)
"""Ranges of the sliders of a, b and the multiples of σ; a value beyond is shown all the same."""

_APART = 0.05
"""Multiples of σ that the two thresholds keep from one another."""

_SUB = "₁₂₃"

SCOPES = {"patch": "each patch", "plane": "the plane in view", "stack": "the whole stack"}


class WeightsForm(QuietForm):
    """Edits a `WeightSettings`.

    Attributes
    ----------
    valueChanged : Signal(WeightSettings)
    save : QPushButton
        For whoever knows where to.
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._scope = QComboBox()
        for scope in get_args(Scope):
            self._scope.addItem(SCOPES[scope], scope)
        self._scope.setToolTip("The pixels that mean and standard deviation are taken over.")
        self._a, self._b = ([_slider(*bounds) for _ in range(3)] for bounds in (_RISE, _START))
        self._sigmas = [_slider(*_SIGMAS) for _ in range(2)]
        self._concerns = QLabel()
        self._concerns.setWordWrap(True)
        self._reset = QPushButton("Reset")
        self._reset.setToolTip("Back to the coefficients of the paper.")
        self.load, self.save = QPushButton("Load…"), QPushButton("Save…")
        self._lay_out()
        self.setValue(WeightSettings())
        self._connect()

    def value(self) -> WeightSettings:
        """Return what the form says."""
        a1, a2, a3 = (slider.value() for slider in self._a)
        b1, b2, b3 = (slider.value() for slider in self._b)
        first, second = (slider.value() for slider in self._sigmas)
        return WeightSettings((a1, a2, a3), (b1, b2, b3), (first, second), self._scope.currentData())

    def setValue(self, settings: WeightSettings) -> None:  # noqa: N802
        """Show settings."""
        with self._silent():
            self._scope.setCurrentIndex(self._scope.findData(settings.scope))
            sliders = (*self._a, *self._b, *self._sigmas)
            bounds = (*[_RISE] * 3, *[_START] * 3, *[_SIGMAS] * 2)
            values = (*settings.a, *settings.b, *settings.sigmas)
            for slider, (low, high), value in zip(sliders, bounds, values, strict=True):
                slider.setRange(min(low, value), max(high, value))
                slider.setValue(value)
        self._tell()

    def set_sigmas(self, first: float, second: float) -> None:
        """Move the thresholds; they are kept in order."""
        settings = self.value()
        first = min(first, second - _APART)
        self.setValue(WeightSettings(settings.a, settings.b, (first, second), settings.scope))

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("statistics of"), 0, 0)
        grid.addWidget(self._scope, 0, 1)
        rows = {
            "M₁ = µ + … σ": (self._sigmas[0], "The first threshold: what is darker is background."),
            "M₂ = µ + … σ": (self._sigmas[1], "The second threshold: what is brighter is bright structures."),
            **{
                f"rise a{_SUB[n]}": (slider, f"By how much the weight rises within band {n + 1}.")
                for n, slider in enumerate(self._a)
            },
            **{
                f"start b{_SUB[n]}": (slider, f"The weight at which band {n + 1} begins.")
                for n, slider in enumerate(self._b)
            },
        }
        for row, (name, (slider, told)) in enumerate(rows.items(), start=1):
            label = QLabel(name)
            for widget in (label, slider):
                widget.setToolTip(told)
            grid.addWidget(label, row, 0)
            grid.addWidget(slider, row, 1)
        self.save.setToolTip("Save coefficients and scope, for mitostain train --weighting and mitostain weights.")
        buttons = QHBoxLayout()
        self.load.setToolTip("Load coefficients that were saved.")
        for button in (self._reset, self.load, self.save):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addLayout(buttons)
        layout.addWidget(self._concerns)

    def _connect(self) -> None:
        self._scope.currentIndexChanged.connect(self._tell)
        for slider in (*self._a, *self._b):
            slider.valueChanged.connect(self._tell)
        self._sigmas[0].valueChanged.connect(self._push_second)
        self._sigmas[1].valueChanged.connect(self._push_first)
        self._reset.clicked.connect(lambda: self.setValue(WeightSettings(scope=self.value().scope)))

    def _push_second(self, first: float) -> None:
        if self._quiet:  # both are being set
            return
        with self._silent():
            self._sigmas[1].setValue(max(self._sigmas[1].value(), first + _APART))
            self._sigmas[0].setValue(min(first, self._sigmas[1].value() - _APART))  # the other is at its end
        self._tell()

    def _push_first(self, second: float) -> None:
        if self._quiet:
            return
        with self._silent():
            self._sigmas[0].setValue(min(self._sigmas[0].value(), second - _APART))
            self._sigmas[1].setValue(max(second, self._sigmas[0].value() + _APART))
        self._tell()

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            settings = self.value()
            self._concerns.setText("\n".join(f"⚠ {concern}" for concern in settings.concerns()))
            self._concerns.setVisible(bool(settings.concerns()))
            self.valueChanged.emit(settings)


def _slider(low: float, high: float) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setDecimals(2)
    return slider
