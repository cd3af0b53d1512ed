"""The viewer's canvas, as far as the OpenGL objects of layers need care."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget


def window_beside(widget: QWidget) -> QMainWindow | None:
    """Return the window that a widget is docked in, or floats over; None if it is in no window."""
    window: QWidget | None = widget if isalive(widget) else None  # type: ignore[no-untyped-call]
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    return window


def canvas_beside(widget: QWidget) -> QOpenGLWidget | None:
    """Return the canvas of the window that a widget is docked in, or floats over; None if it is in no window."""
    window = window_beside(widget)
    centre = window.centralWidget() if window is not None else None
    found: QOpenGLWidget | None = centre.findChild(QOpenGLWidget) if centre is not None else None
    return found


def use_context_of_canvas(widget: QWidget) -> None:
    """Make the OpenGL context of the canvas beside a widget the current one; to be called before a layer goes.

    When a layer goes, napari frees its shaders at once, in whatever context is current; outside of drawing that is the
    one in which Qt composes its windows. Mesa's software renderer then draws the layers that stay with freed shaders:
    the next drawing, such as that of the next tile, ends the process with a segmentation fault.
    """
    if (canvas := canvas_beside(widget)) is not None:
        canvas.makeCurrent()
