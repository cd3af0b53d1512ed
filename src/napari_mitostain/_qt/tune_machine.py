"""The time machine: how the stain of a few fixed crops has changed from epoch to epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Previewed(Protocol):
    """What the time machine asks of a run; see `training.run.RunFolder`. Called in a thread."""

    path: Path

    def preview_images(self) -> Any:
        """Return brightfield and truth (N, Y, X), and the files of the stains by epoch."""
        ...


class TimeMachine(QObject):
    """Layers of the fixed crops of a run: brightfield, truth and, with an axis of epochs, the stain.

    Parameters
    ----------
    viewer : Viewer
    run : RunFolder
    parent : QWidget
        In the viewer's window.

    Attributes
    ----------
    epochSeen : Signal(int)
        The epoch whose stain is in view, when it changes.
    shown : Signal(bool)
        The layers have come, or gone, by whatever hand.
    failed : Signal(Exception)
        The previews cannot be read.
    """

    epochSeen = Signal(int)  # noqa: N815
    shown = Signal(bool)
    failed = Signal(object)

    def __init__(self, viewer: Viewer, run: Previewed, parent: QObject) -> None:
        super().__init__(parent)
        raise NotImplementedError

    @property
    def is_shown(self) -> bool:
        """Whether the layers are in the viewer."""
        raise NotImplementedError

    @property
    def epoch(self) -> int | None:
        """The epoch whose stain is in view."""
        raise NotImplementedError

    def show(self) -> None:
        """Hide the user's layers and show the crops, as soon as they are read; nothing if they are shown."""

    def add(self, epoch: int, path: Path) -> None:
        """Append the stain of a new epoch; the view stays on its epoch, unless it was on the newest."""

    def go_to(self, epoch: int) -> None:
        """Show the stain of an epoch, or of the nearest that has one."""

    def remove(self) -> None:
        """Take the layers away and bring back what was seen before."""
