"""Boxes to choose a layer from: narrow, and steady while the viewer's layers come, go and get other names."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QComboBox


def narrowed(box: QComboBox) -> QComboBox:
    """Let a box be narrower than its longest choice, so that a long name does not widen the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def renew_choices(box: ComboBox) -> bool:
    """Offer the layers there are now; tell whether another one had to be chosen.

    The box says nothing meanwhile: a renamed layer is the same layer, and a choice in passing would be acted upon.
    """
    chosen = box.value
    with box.changed.blocked():
        box.reset_choices()
        if chosen in box.choices:
            box.value = chosen
    return box.value is not chosen
