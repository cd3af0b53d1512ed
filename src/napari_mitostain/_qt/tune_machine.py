"""The time machine: how the stain of a few fixed crops has changed from epoch to epoch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_mitostain._qt.canvas import use_context_of_canvas
from napari_mitostain._qt.latest import Latest
from napari_mitostain._qt.tune_crops import Crops, Previewed, read_crops, with_epochs
from napari_mitostain._qt.tune_history import nearest
from napari_mitostain._qt.tune_layers import CropLayers

if TYPE_CHECKING:
    from napari.viewer import Viewer


class TimeMachine(QObject):
    """Layers of the fixed crops of a run: brightfield, fluorescence and, with an axis of epochs, the stain.

    Its slider counts the epochs that have a stain; the layer's name says which is in view. Files are read in a thread.

    Parameters
    ----------
    viewer : Viewer
    run : RunFolder
    parent : QWidget
        In the viewer's window.

    Attributes
    ----------
    epochSeen : Signal(int)
        The epoch whose stain is in view, when it changes; `START` for the starting model.
    shown : Signal(bool)
        The layers have come, or gone, by whatever hand.
    failed : Signal(Exception)
        The previews cannot be read.
    """

    epochSeen = Signal(int)  # noqa: N815
    shown = Signal(bool)
    failed = Signal(object)

    def __init__(self, viewer: Viewer, run: Previewed, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._run, self._beside = viewer, run, parent
        self._layers = CropLayers(viewer, parent, run.path, self.remove)
        self._crops: Crops | None = None
        self._coming: dict[int, Path] = {}
        self._wanted: int | None = None  # an epoch whose stain is still to come
        self._seen: int | None = None
        self._renewing = False
        self._latest = Latest(self)
        self._latest.answered.connect(self._receive)
        self._latest.failed.connect(self.failed)
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_shown(self) -> bool:
        """Whether the layers are in the viewer."""
        return bool(self._layers)

    @property
    def is_busy(self) -> bool:
        """Whether files are being read."""
        return self._latest.is_busy

    @property
    def epoch(self) -> int | None:
        """The epoch whose stain is in view; `START` for the starting model, None while nothing is shown."""
        return self._seen

    def show(self, epoch: int | None = None) -> None:
        """Hide the user's layers and show the crops, once they are read; nothing if they are shown.

        Parameters
        ----------
        epoch : int, optional
            Whose stain is to be in view, or that of the nearest that has one; by default the newest.
        """
        self._wanted = epoch
        if not self._layers and not self._latest.is_busy:
            self._latest.ask(partial(read_crops, self._run))

    def add(self, epoch: int, path: Path) -> None:
        """Append the stain of a new epoch; the view stays on its epoch, unless it was on the newest."""
        if self._layers or self._latest.is_busy:  # else it is read with all others
            self._coming[epoch] = path
            self._read_on()

    def go_to(self, epoch: int) -> None:
        """Show the stain of an epoch, or of the nearest that has one until it comes."""
        if self._crops is not None and (there := nearest(self._crops.epochs, epoch)) is not None:
            self._layers.turn_to(self._crops.epochs.index(there))
        self._wanted = epoch if epoch != self._seen else None

    def remove(self) -> None:
        """Take the layers away and bring back what was seen before."""
        self._latest.drop()
        self._coming.clear()
        was_shown = self._crops is not None
        self._crops = self._seen = self._wanted = None
        self._layers.remove()
        if was_shown:
            self.shown.emit(False)

    def _receive(self, crops: Crops) -> None:
        """Show crops that were read; what came meanwhile is read then."""
        if self._crops is not None and not self._layers:
            return  # the user has just deleted them
        before, self._crops = self._crops, crops
        self._renewing = True
        if before is None:
            self._layers.make(crops)
        else:
            self._layers.renew(crops)
        at_end = before is None or self._seen == before.epochs[-1]
        target = crops.epochs[-1] if at_end or self._seen is None else self._seen
        if before is None and self._wanted is not None:
            there = nearest(crops.epochs, self._wanted)
            target = target if there is None else there
        if self._wanted in crops.epochs:
            target, self._wanted = self._wanted, None
        self._layers.turn_to(crops.epochs.index(target))
        self._renewing = False
        self._on_step()
        if before is None:
            self.shown.emit(True)
        self._read_on()

    def _read_on(self) -> None:
        if self._crops is not None and self._coming and not self._latest.is_busy:
            coming, self._coming = self._coming, {}
            self._latest.ask(partial(with_epochs, self._crops, coming))

    def _on_step(self, _: Any = None) -> None:
        if self._crops is None or self._renewing or not self._layers:
            return
        epoch = self._crops.epochs[min(self._layers.page, len(self._crops.epochs) - 1)]
        if epoch != self._seen:
            self._seen, self._wanted = epoch, None
            self._layers.name(epoch)
            self.epochSeen.emit(epoch)

    def _on_inserted(self, event: Any) -> None:
        """Keep the axis of epochs to itself when a layer comes that has as many axes."""
        if self._crops is not None and event.value not in self._layers and self._layers.shares_axis:
            QTimer.singleShot(0, self._give_way)

    def _give_way(self) -> None:
        if isalive(self) and self._crops is not None:  # type: ignore[no-untyped-call]
            self._receive(self._crops)

    def _on_removing(self, _: Any) -> None:
        use_context_of_canvas(self._beside)

    def _on_removed(self, event: Any) -> None:
        """Leave when the user deletes the stain; brightfield and fluorescence may go."""
        if event.value in self._layers and not self._renewing:
            self._layers.forget(event.value)
            if not self._layers:
                QTimer.singleShot(0, self._leave)

    def _leave(self) -> None:
        if isalive(self) and not self._layers:  # type: ignore[no-untyped-call]
            self.remove()
