"""What happens when the dock of a widget is closed while a run trains: the user is asked, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QAbstractButton, QDockWidget, QMainWindow, QMessageBox, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer


def dock_name(widget: QWidget) -> str:
    """Return the name under which a widget is docked, "" if it is not."""
    dock = widget.parent()
    return str(getattr(dock, "name", "")) if isinstance(dock, QDockWidget) else ""


def put_back(viewer: Viewer, widget: QWidget, name: str) -> None:
    """Dock a widget again that napari has just taken out of its dock."""
    viewer.window.add_dock_widget(widget, name=name)


def ask_to_stop(window: QMainWindow, run: str, stop: Callable[[], None], stay: Callable[[], None]) -> QMessageBox:
    """Ask whether a run is to be stopped, without waiting for the answer.

    Parameters
    ----------
    window : QMainWindow
        Of the viewer.
    run : str
        Its name.
    stop, stay : callable
        One of them is called with the answer; closing the question is a wish to stay.
    """
    question = QMessageBox(window)
    question.setIcon(QMessageBox.Icon.Question)
    question.setWindowTitle("Fine-tune")
    question.setText(f"{run} is being trained.")
    question.setInformativeText(
        "Stop it at a checkpoint, within a second or two? It stays in the list of runs, and can be resumed."
    )
    stopping = question.addButton("Stop at a checkpoint", QMessageBox.ButtonRole.AcceptRole)
    staying = question.addButton("Keep training", QMessageBox.ButtonRole.RejectRole)
    question.setDefaultButton(staying)
    question.setEscapeButton(staying)

    def answer(button: QAbstractButton | None) -> None:
        (stop if button is stopping else stay)()
        question.deleteLater()

    question.buttonClicked.connect(answer)
    question.open()
    return question
