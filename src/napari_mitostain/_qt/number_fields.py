"""Fields of numbers that need care: rates of any size, sides that are multiples, values that may be off."""

from __future__ import annotations

from math import isfinite

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox

_DIGITS = 15


class RateBox(QDoubleSpinBox):
    """Edits a small positive number, such as a learning rate, in as many digits as it has; a step is a factor of 2.

    Parameters
    ----------
    smallest, largest : float
    off : str, optional
        Shown for 0, which then is allowed.
    """

    def __init__(self, smallest: float, largest: float, off: str = "") -> None:
        super().__init__()
        self._least = smallest
        self.setDecimals(_DIGITS)
        self.setRange(0.0 if off else smallest, largest)
        self.setSpecialValueText(off)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Write a number, no longer than it has to be."""
        return f"{value:.6g}"

    def valueFromText(self, text: str | None) -> float:  # noqa: N802
        """Read a number, such as "0.001" or "1e-3"."""
        if text and text == self.specialValueText():
            return self.minimum()
        try:
            return float((text or "").replace(",", "."))
        except ValueError:
            return self.value()

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        """Let a number be typed letter by letter."""
        text = text or ""
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            is_known = bool(text) and text == self.specialValueText()
            return QValidator.State.Acceptable if is_known else QValidator.State.Intermediate, text, position
        fits = isfinite(number) and self.minimum() <= number <= self.maximum()
        return QValidator.State.Acceptable if fits else QValidator.State.Intermediate, text, position

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Double or halve; from 0 up to the smallest, and from there back to 0."""
        if self.value() == 0:
            self.setValue(self._least if steps > 0 else 0.0)
        else:
            value = self.value() * 2.0**steps
            self.setValue(value if value >= self._least else self.minimum())


class SideBox(QSpinBox):
    """Edits the side of a patch: a multiple of the stride; what is typed between is rounded.

    Parameters
    ----------
    stride : int
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self._stride = stride
        self.setRange(2 * stride, 4096)
        self.setSingleStep(stride)
        self.setSuffix(" px")
        self.setKeyboardTracking(False)

    def set_stride(self, stride: int) -> None:
        """Ask for multiples of another stride from now on."""
        self._stride = stride
        self.setRange(2 * stride, 4096)
        self.setSingleStep(stride)

    def valueFromText(self, text: str | None) -> int:  # noqa: N802
        """Read a number and round it."""
        return max(2, round(super().valueFromText(text) / self._stride)) * self._stride
