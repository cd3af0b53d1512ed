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

    Attributes
    ----------
    form : QWidget
        What the user edits; it listens to the viewer's layers.
    """

    form: Any  # each widget has its own, a QWidget

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._is_closed = False
        viewer.layers.events.removing.connect(self._on_removing)

    def event(self, event: QEvent | None) -> bool:
        """Leave when the dock widget is closed for good, which takes this widget out of it.

        The widget itself lives on until Python clears it away, and layers go on telling it what becomes of them.
        """
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._is_closed = self.parent() is None
            self.form.blockSignals(self._is_closed)
            if self._is_closed:
                self._leave()
        return bool(super().event(event))

    def reset_choices(self, *_: Any) -> None:
        """Follow the viewer's layers; napari calls this when they change, also after the dock was closed."""
        if not self._is_closed:
            self._follow_layers()

    def _follow_layers(self) -> None:
        """Offer the layers that are there now."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Stop what runs, and take away what only this widget keeps up to date."""
        raise NotImplementedError

    def _on_removing(self, _: Any) -> None:
        use_context_of_canvas(self)
