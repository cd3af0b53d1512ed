"""Rows of a form: labelled fields, and combo boxes that stay narrow and keep what was chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from magicgui.widgets import ComboBox
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

_JOINTS = re.compile(r"[/\\_.](?=\S)")


class Quiet:
    """What does not speak of the fields it sets itself: `_quiet` is set within ``with self._silent()``."""

    _quiet = False

    @contextmanager
    def _silent(self) -> Iterator[None]:
        self._quiet, before = True, self._quiet
        try:
            yield
        finally:
            self._quiet = before


class QuietForm(Quiet, QWidget):
    """A form that does not speak of the fields it sets itself."""


def labelled(fields: Mapping[str, QWidget]) -> QFormLayout:
    """Lay out fields by their labels."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    add_rows(form, fields)
    return form


def add_rows(form: QFormLayout, fields: Mapping[str, QWidget]) -> None:
    """Add fields below those of a form."""
    for label, field in fields.items():
        form.addRow(label, narrowed(field) if isinstance(field, QComboBox) else field)


def narrowed(box: QComboBox) -> QComboBox:
    """Let a combo box cut off long names, so that they do not widen the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box


def folded(title: str, content: QWidget) -> QCollapsible:
    """Fold a widget away under a title, as wide as what stands above it."""
    section = QCollapsible(title, expandedIcon="▾", collapsedIcon="▸")
    section.addWidget(content)
    for layout in (section.layout(), section.content().layout()):
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
    return section


class Column(QScrollArea):
    """A column that scrolls up and down, and is never narrower than what is in it and the bar beside it."""

    def __init__(self, inner: QVBoxLayout) -> None:
        super().__init__()
        content = QWidget()
        content.setLayout(inner)
        inner.setContentsMargins(2, 6, 2, 4)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Widen when the content does: Qt tells a scroll area alone, and it cuts off what it cannot scroll to."""
        content, bar = self.widget(), self.verticalScrollBar()
        if event is not None and event.type() == QEvent.Type.LayoutRequest and content is not None and bar is not None:
            wide = content.minimumSizeHint().width() + bar.sizeHint().width() + 2 * self.frameWidth()
            self.setMinimumWidth(wide)
        return super().eventFilter(watched, event)


def breakable(text: str) -> str:
    """Let a label break long paths and file names, which have no spaces, so that they do not widen the dock."""
    return _JOINTS.sub("\\g<0>\u200b", text)


def renew_choices(box: ComboBox) -> bool:
    """Renew a box's choices without a word, and tell whether another one had to be chosen.

    magicgui alone would find the chosen one by its text, and leave the choices in the order of their coming.
    """
    chosen = box.value
    with box.changed.blocked():
        box.native.clear()
        box.reset_choices()
        if chosen in box.choices:
            box.value = chosen
    return box.value is not chosen and box.value != chosen


def reset_kept(box: ComboBox) -> bool:
    """Renew a box's choices, and tell whether the chosen one stays; only if it does not has the value changed."""
    if changed := renew_choices(box):
        box.changed.emit(box.value)
    return not changed
