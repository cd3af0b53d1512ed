"""Columns of widgets in a dock."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QPushButton, QVBoxLayout

from napari_mitostain._qt.rows import Column


def test_column_is_no_narrower_than_what_comes_into_it(qtbot):
    """It scrolls up and down only: what is wider than it could not be seen."""
    layout, button = QVBoxLayout(), QPushButton()
    layout.addWidget(button)
    column = Column(layout)
    qtbot.addWidget(column)
    column.resize(QSize(100, 50))
    column.show()
    qtbot.waitExposed(column)
    button.setFixedSize(QSize(333, 500))  # higher too: there is a bar beside it
    qtbot.waitUntil(lambda: column.viewport().width() >= 333)
    assert column.widget().width() == column.viewport().width()
    assert column.verticalScrollBar().isVisible()
