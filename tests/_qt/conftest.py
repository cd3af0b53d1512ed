"""A viewer, a small model of the user's own, and a check that no job outlives its test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.qt.threading import WorkerBase
from napari.utils.notifications import Notification, notification_manager
from napari.utils.progress import progress
from qtpy.QtCore import QThreadPool

from napari_mitostain.config import ScalingSettings, TrainSettings
from napari_mitostain.events import Event
from napari_mitostain.model import library
from napari_mitostain.model.card import Card
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.model.loading import Model, load_model, save_model

_WAIT_MS = 60_000
"""Long enough for the slowest machine; a test that passes takes a fraction of a second."""


@pytest.fixture
def small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The only model installed, "small": random weights, made for pixels of 0.1 µm."""
    monkeypatch.setattr(library, "user_models", lambda: tmp_path / "models")
    monkeypatch.setattr(library, "BUNDLED", tmp_path / "none")
    torch.manual_seed(0)
    card = Card("small", "A small one.", 4, 2, 0.1, ScalingSettings(background_px=5), limits="Not <b>measured</b>.")
    network = Network(4, 2).eval()
    with torch.no_grad():  # random weights say little; these say it loudly, so that a wrong pixel shows
        network.head.weight *= 100
    (tmp_path / "models").mkdir()
    save_model(Model(card, network), tmp_path / "models" / "small.safetensors")
    return load_model("small")  # as it is on disk, in half precision


@pytest.fixture
def own_model(tmp_path: Path, small_model: Model) -> str:
    """The path of a model that is not installed, in the folder of the run "heart" that trained it."""
    path = tmp_path / "heart" / "model.safetensors"
    path.parent.mkdir()
    save_model(replace(small_model, card=replace(small_model.card, name="heart", summary="Of my own.")), path)
    return str(path)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], qtbot: Any) -> Iterator[Any]:
    """A viewer; afterwards no job may run and no thread of a job be left."""
    yield make_napari_viewer()
    qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=_WAIT_MS)
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=_WAIT_MS)  # it ends later
    qtbot.waitUntil(lambda: not progress._all_instances, timeout=_WAIT_MS)  # no bar is left in the activity dock


@pytest.fixture
def cells() -> np.ndarray:
    """Brightfield (Z, Y, X), 5 planes of an odd size."""
    return np.random.default_rng(1).integers(50, 200, (5, 70, 61), dtype=np.uint8)


@pytest.fixture
def notifications() -> Iterator[list[Notification]]:
    """What the user is told."""
    told: list[Notification] = []
    notification_manager.notification_ready.connect(told.append)
    yield told
    notification_manager.notification_ready.disconnect(told.append)


@pytest.fixture
def widget(viewer: Any, small_model: Model) -> Any:
    """The dock widget "Digital stain", opened through the manifest in a viewer without layers."""
    return viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")[1]


@pytest.fixture
def fluorescence() -> np.ndarray:
    """Fluorescence (Z, Y, X): 4 planes of an odd size, each with structures of its own over a dim background."""
    return np.random.default_rng(2).gamma(0.6, 200, (4, 60, 71)).astype(np.uint16)


@pytest.fixture
def until(qtbot: Any) -> Callable[[Callable[[], bool]], None]:
    """Run the event loop until a condition holds."""
    return lambda condition: qtbot.waitUntil(condition, timeout=_WAIT_MS)


@pytest.fixture
def press(until: Any) -> Callable[[Any], None]:
    """Press a widget's Stain button and wait for the end of its job."""

    def press(widget: Any) -> None:
        widget.button.click()
        assert widget.button.text() == "Cancel"
        until(lambda: widget.button.text() == "Stain")

    return press


class Gate:
    """Lets a job go on event by event, so that a test can act in the middle of it."""

    def __init__(self) -> None:
        self._steps = threading.Semaphore(0)
        self.closed = threading.Event()
        self.error: Exception | None = None

    def let(self, count: int) -> None:
        """Let the job say `count` more events."""
        self._steps.release(count)

    def open(self) -> None:
        """Let it run."""
        self.let(10_000)

    def watch(self, events: Generator[Event, None, None]) -> Generator[Event, None, None]:
        """Pass events on as they are let; raise the error in place of the first that comes after it was set."""
        try:
            with closing(events):
                for event in events:
                    assert self._steps.acquire(timeout=60), "the test forgot its job"
                    if self.error is not None:
                        raise self.error
                    yield event
        finally:
            self.closed.set()


class Hold:
    """Holds questions up in their threads, and counts them."""

    def __init__(self) -> None:
        self._open, self._waiting = threading.Event(), threading.Semaphore(0)
        self.asked: list[Any] = []

    def hold(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that waits to be let before it answers."""

        def held(*arguments: Any) -> Any:
            self.asked.append(arguments)
            self._waiting.release()
            assert self._open.wait(60), "the test forgot its question"
            return answer(*arguments)

        return held

    def wait(self) -> None:
        """Wait until one more question is held up."""
        assert self._waiting.acquire(timeout=60)

    def let(self) -> None:
        """Answer what is held up, and all that comes."""
        self._open.set()

    def again(self) -> None:
        """Hold up what comes from now on."""
        self._open.clear()


@pytest.fixture
def hold() -> Iterator[Hold]:
    """To stand between questions and answers."""
    hold = Hold()
    yield hold
    hold.let()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Stand between the core's stain and the job."""
    from napari_mitostain import staining

    gate, stain_stack = Gate(), staining.stain_stack
    monkeypatch.setattr(staining, "stain_stack", lambda *arguments: gate.watch(stain_stack(*arguments)))
    yield gate
    gate.open()


@pytest.fixture
def tiny() -> TrainSettings:
    """Settings of a run of some seconds."""
    return TrainSettings(
        epochs=2,
        batch_size=2,
        patch=32,
        crops_per_frame=2,
        minimum_area=0.02,
        base_channels=4,
        depth=2,
        discriminator_loss="none",
        device="cpu",
        precision="float32",
    )
