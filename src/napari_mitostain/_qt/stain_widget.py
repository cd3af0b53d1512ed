"""The dock widget "Digital stain"."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout

from napari_mitostain._qt.card_view import CardView, card_of, pixel_note
from napari_mitostain._qt.docked import Docked
from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.jobs import Outcome
from napari_mitostain._qt.layers import layer_pixel_size
from napari_mitostain._qt.progress import words_for
from napari_mitostain._qt.stain_form import StainForm
from napari_mitostain._qt.stain_job import ModelLoaded, stain_job
from napari_mitostain._qt.stain_live import LiveStain
from napari_mitostain._qt.stain_request import StainRequest
from napari_mitostain._qt.stain_run import StainRun, objection
from napari_mitostain.errors import MitostainError
from napari_mitostain.events import Event
from napari_mitostain.model.card import Card

if TYPE_CHECKING:
    import napari.viewer

_NARROWEST_PX = 280
"""Width at which the card's table of scores is readable."""

_ENDED = {
    "done": "Done. The stain is predicted, not measured.",
    "cancelled": "Cancelled; nothing of the stain was kept.",
    "failed": "Stopped by an error: {}",
}
_LEFT = {
    ("cancelled", "new"): "Cancelled; the stain is kept as far as it came.",
    ("cancelled", "earlier"): "Cancelled; the earlier stain is back.",
    ("failed", "earlier"): "Stopped by an error, and the earlier stain is back: {}",
}
"""What is said instead where something is left."""


class StainWidget(Docked):
    """Stains brightfield layers of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._run: StainRun | None = None
        self._seen: StainRequest | None = None
        self._said = ""  # of the last thing that happened to what was asked for
        self.runner = JobRunner(self)
        self.form = StainForm(viewer)
        self.live = LiveStain(viewer, self)
        self.button = QPushButton("Stain")
        self.live_button = QPushButton("Live")
        self.bar = QProgressBar()
        self.words = QLabel()
        self.card = CardView()
        layout, buttons = QVBoxLayout(self), QHBoxLayout()
        layout.addWidget(self.form)
        layout.addLayout(buttons)
        for widget in (self.bar, self.words, self.card):
            layout.addWidget(widget)
        buttons.addWidget(self.button, stretch=2)
        buttons.addWidget(self.live_button, stretch=1)
        self.live_button.setCheckable(True)
        self.live_button.setToolTip("Stain what you look at, as you scroll and zoom.")
        self.setMinimumWidth(_NARROWEST_PX)
        self.bar.setMaximum(1000)
        self.words.setWordWrap(True)
        self.bar.hide()
        self.words.hide()
        self._connect()
        self._look(self.form.value())

    def _follow_layers(self) -> None:
        self.form.reset_choices()

    def _leave(self) -> None:
        self.runner.cancel()
        self.live.stop()

    def _connect(self) -> None:
        self.form.valueChanged.connect(self._look)
        self.button.clicked.connect(self._toggle)
        self.live_button.toggled.connect(self._toggle_live)
        self.live.opened.connect(lambda loaded: self.form.show_devices(loaded.devices))
        self.live.said.connect(self._say_live)
        self.live.ended.connect(self._on_live_ended)
        self.runner.received.connect(self._receive)
        self.runner.progressed.connect(self._progress)
        self.runner.ended.connect(self._finish)
        self._viewer.layers.events.removed.connect(self._on_removed)

    def _look(self, request: StainRequest) -> None:
        """Show the model's card, whether the image suits it, and what is to be said of this request."""
        if request != self._seen:
            self._seen, self._said = request, ""
        card = card_of(request.model) if request.model else "No model is installed."
        self.card.show_card(card)
        if not self.runner.is_running:
            problem = objection(request)
            can_stain = request.layer is not None and bool(request.model) and not problem
            for button in (self.button, self.live_button):
                button.setEnabled(can_stain)
            self._follow_live(request if can_stain else None)
            self._show_words(problem or self._said)
        self.form.show_pixel_note(*_pixel_note(request, card))

    def _say(self, sentence: str) -> None:
        """Say what has happened to what is asked for now; it holds until something else is asked for."""
        self._seen, self._said = self.form.value(), sentence
        self._look(self._seen)

    def _show_words(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _toggle(self) -> None:
        request = self.form.value()
        if self.runner.is_running:
            self.runner.cancel()
        else:
            self.form.keep_layer()
            self._start(replace(request, planes="stack") if self.live.is_on else request)

    def _toggle_live(self, wanted: bool) -> None:
        self.button.setText("Finish the stack" if wanted else "Stain")
        if wanted:
            self.form.keep_layer()
            self._look(self.form.value())
        else:
            self.live.stop()
            self._say("")

    def _follow_live(self, request: StainRequest | None) -> None:
        """Let the live stain follow the form while its button is down."""
        if self.live_button.isChecked():
            try:
                if request is None:
                    self.live_button.setChecked(False)
                else:
                    self.live.follow(request)
            except MitostainError as error:
                show_error(str(error))
                self._on_live_ended(str(error))

    def _say_live(self, words: str) -> None:
        self._said = words
        self._show_words(words)

    def _on_live_ended(self, reason: str) -> None:
        self.live_button.setChecked(False)
        self._say(_ENDED["failed"].format(reason) if reason else "")

    def _start(self, request: StainRequest) -> None:
        assert request.layer is not None, "the button is off without a layer"
        try:
            self._run = StainRun(self._viewer, request.layer, request, self.live.seen())
        except MitostainError as error:
            show_error(str(error))
            self._say(str(error))
            return
        self.live_button.setChecked(False)
        self.live_button.setEnabled(False)
        self.button.setText("Cancel")
        self._progress(0.0, None)
        self.runner.start(f"Staining {request.layer.name}", partial(stain_job, self._run.plan))

    def _receive(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ModelLoaded):
                self.form.show_devices(event.devices)
        if self._run is not None:
            self._run.receive(events)

    def _progress(self, fraction: float, seconds: float | None) -> None:
        self.bar.setValue(round(1000 * fraction))
        self.bar.show()
        self._show_words(words_for(seconds))

    def _finish(self, outcome: Outcome) -> None:
        run, self._run = self._run, None
        left = "nothing" if run is None else run.result.finish(outcome.kind == "done")
        self.button.setText("Stain")
        self.bar.hide()
        words = _LEFT.get((outcome.kind, left), _ENDED[outcome.kind])
        is_about = run is not None and run.is_of(self.form.value().layer)
        self._say(words.format(outcome.error) if is_about else "")

    def _on_removed(self, event: Any) -> None:
        """Stop when the user deletes the layer that is being filled; its source may go, its pixels are at hand."""
        if self._run is not None and event.value is self._run.result.layer:
            self.runner.cancel()


def _pixel_note(request: StainRequest, card: Card | str) -> tuple[str, bool]:
    if request.layer is None:
        return "", False
    return pixel_note(layer_pixel_size(request.layer), card, request.settings.resample)
