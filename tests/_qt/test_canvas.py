"""Layers that go while a job draws: napari frees what OpenGL holds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtGui import QOpenGLContext
from qtpy.QtWidgets import QWidget

from napari_mitostain._qt.canvas import canvas_beside, use_context_of_canvas


@pytest.fixture
def shown(make_napari_viewer: Callable[..., Any], small_model: Any, until: Callable[[Callable[[], bool]], None]) -> Any:
    """A viewer on the screen with two layers that were drawn, and the dock widget "Digital stain" in it."""
    viewer = make_napari_viewer(show=True)
    widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")[1]
    for name in ("below", "above"):
        viewer.add_image(np.zeros((8, 8)), name=name)
    canvas = canvas_beside(widget)
    drawn: list[bool] = []
    canvas.frameSwapped.connect(lambda: drawn.append(True))
    until(lambda: len(drawn) > 0)
    return viewer, widget, canvas


def contexts_of_removals(viewer: Any) -> list[QOpenGLContext | None]:
    """Note which context is current each time that napari has freed a layer's shaders."""
    noted: list[QOpenGLContext | None] = []
    viewer.layers.events.removed.connect(lambda _: noted.append(QOpenGLContext.currentContext()), position="last")
    return noted


@pytest.mark.parametrize("floats", [False, True])
def test_layers_go_in_the_context_that_drew_them(shown, qtbot, floats):
    """In that of Qt, Mesa's software renderer would crash at the next drawing."""
    viewer, widget, canvas = shown
    dock = next(
        dock for dock in viewer.window._qt_window.findChildren(type(widget.parent())) if dock.isAncestorOf(widget)
    )
    dock.setFloating(floats)
    qtbot.wait(100)
    canvas.doneCurrent()
    noted = contexts_of_removals(viewer)
    viewer.layers.remove("below")
    viewer.layers.clear()
    assert noted == [canvas.context(), canvas.context()]


def test_widget_without_a_window_has_no_canvas(qtbot):
    widget = QWidget()
    use_context_of_canvas(widget)
    assert canvas_beside(widget) is None
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    use_context_of_canvas(widget)  # as when its viewer is emptied after it is gone
    assert canvas_beside(widget) is None
