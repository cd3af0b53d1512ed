"""Let a viewer run for a while, or until something has happened."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEventLoop, QTimer


def wait(seconds: float) -> None:
    """Let the viewer run for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], bool], every: float) -> None:
    """Let the viewer run until a condition holds, which is looked at every so many seconds."""
    while not condition():
        wait(every)
