"""What trains now, how long it will take, and the buttons that pause and stop it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_mitostain._qt.progress import words_for
from napari_mitostain._qt.rows import breakable
from napari_mitostain._qt.tune_training import End
from napari_mitostain.events import EpochDone, Event, Measured, RunStarted, StepDone

_ENDED: dict[End, str] = {
    "done": "Done.",
    "paused": "Paused at a checkpoint.",
    "stopped": "Stopped at a checkpoint. The run stays in the list, and can be resumed there.",
    "failed": "Stopped by an error: {}",
    "in vain": "Stopped before the run had begun; nothing was kept.",
}

_TITLES: dict[End, str] = {
    "done": "Trained",
    "paused": "Paused:",
    "stopped": "Stopped:",
    "failed": "Failed:",
    "in vain": "Stopped:",
}


class TrainingBar(QWidget):
    """Shows the training that goes on, or how it has ended.

    Attributes
    ----------
    pauseAsked, resumeAsked, stopAsked : Signal()
    """

    pauseAsked = Signal()  # noqa: N815
    resumeAsked = Signal()  # noqa: N815
    stopAsked = Signal()  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._is_paused = self._is_stopping = self._has_started = False
        self._phase = self._left = self._epoch = ""
        self.title, self.words = QLabel(), QLabel()
        self.bar = QProgressBar()
        self.bar.setMaximum(1000)
        self.pause, self.stop = QPushButton("Pause"), QPushButton("Stop")
        self.stop.setToolTip("End the run at a checkpoint; it stays in the list, and can be resumed.")
        buttons = QHBoxLayout()
        for button in (self.pause, self.stop):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        for widget in (self.title, self.bar, self.words):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        for label in (self.title, self.words):
            label.setWordWrap(True)
        self.pause.clicked.connect(self._toggle)
        self.stop.clicked.connect(self.stopAsked)
        self.hide()

    def begin(self, name: str) -> None:
        """Show that a run is trained from now on."""
        self._is_stopping = self._has_started = False
        self._phase, self._left, self._epoch = "preparing…", "", ""
        self.title.setText(breakable(f"Training {name}"))
        self.bar.setValue(0)
        self._show_words()
        self._offer(is_paused=False, is_running=True)
        self.show()

    def receive(self, events: Sequence[Event]) -> None:
        """Show what the run does."""
        for event in events:
            if isinstance(event, Measured):
                self._phase = f"{'scoring' if self._has_started else 'reading pairs'}: {event.done} of {event.total}"
            elif isinstance(event, (RunStarted, StepDone)):
                self._phase = ""
            if isinstance(event, RunStarted):
                self._has_started = True
            elif isinstance(event, EpochDone):
                self._epoch = f"{event.epoch + 1} epoch{'s' if event.epoch else ''} done"
        self._show_words()

    def progress(self, fraction: float, seconds: float | None) -> None:
        """Show the part that is done and the time that is left."""
        self.bar.setValue(round(1000 * fraction))
        self._left = words_for(seconds)
        self._show_words()

    def wait(self) -> None:
        """Show that the run is about to stop."""
        self._is_stopping = True
        self._show_words()
        for button in (self.pause, self.stop):
            button.setEnabled(False)

    def end(self, kind: End, error: Exception | None) -> None:
        """Show how it has ended."""
        self.title.setText(self.title.text().replace("Training", _TITLES[kind], 1))
        self.words.setText(breakable(_ENDED[kind].format(error)))
        self._offer(is_paused=kind == "paused", is_running=False)

    def _offer(self, is_paused: bool, is_running: bool) -> None:
        self._is_paused = is_paused
        self.pause.setText("Resume" if is_paused else "Pause")
        self.pause.setToolTip(
            "Go on from the checkpoint." if is_paused else "Stop at a checkpoint, and free the memory of the GPU."
        )
        for button in (self.pause, self.stop):
            button.setVisible(is_running or (is_paused and button is self.pause))
            button.setEnabled(True)
        self.bar.setVisible(is_running or is_paused)

    def _toggle(self) -> None:
        (self.resumeAsked if self._is_paused else self.pauseAsked).emit()

    def _show_words(self) -> None:
        doing = "stopping at a checkpoint…" if self._is_stopping else self._phase or self._left
        self.words.setText(", ".join(word for word in (self._epoch, doing) if word))
