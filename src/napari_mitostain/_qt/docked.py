"""What every dock widget of the plugin does: it knows when it is closed for good, and lets layers go safely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_mitostain._qt.canvas import use_context_of_canvas

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Docked(QWidget):
    """A widget in a dock of a viewer.

    Parameters
    ----------
    viewer : Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        viewer.layers.events.removing.connect(self._on_removing)

    def event(self, event: QEvent | None) -> bool:
        """Leave when the dock widget is closed for good, which takes this widget out of it."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return bool(super().event(event))

    def _leave(self) -> None:
        """Stop what runs, and take away what only this widget keeps up to date."""
        raise NotImplementedError

    def _on_removing(self, _: Any) -> None:
        use_context_of_canvas(self)
