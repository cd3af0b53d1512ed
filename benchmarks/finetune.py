"""Measure whether the viewer stays smooth while a run trains in it, and how much of its speed the run keeps.

    python benchmarks/finetune.py [--preset quick] [--pairs FOLDER] [--rounds 4] [--seconds 8] [--rate 10] [--json]

Opens a viewer (without a display: under xvfb-run) on a stack of 512×512×50 and trains in a job, as the dock widget
"Fine-tune" does, with curves and the time machine. The run goes on all the time; in each round, in turn, it is left
alone (the viewer sleeps) with all cores and with as many as it has in the viewer, then the user does nothing, then they
scroll, by so many planes a second (10 is the speed at which napari plays a stack). So all ratios are of times a few
seconds apart. A software renderer, such as that of a machine without a screen, draws the whole window twice for each
step of scrolling, and computes beside the run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
import torch
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

import napari_mitostain
from napari_mitostain._qt.job_runner import JobRunner
from napari_mitostain._qt.progress import NoBar
from napari_mitostain._qt.stain_job import a_core_left_to_the_viewer
from napari_mitostain._qt.tune_curves import Curves
from napari_mitostain._qt.tune_machine import TimeMachine
from napari_mitostain.config import TrainSettings
from napari_mitostain.events import EpochDone, Event, StepDone
from napari_mitostain.model.loading import load_model
from napari_mitostain.training.presets import PRESETS
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.spec import PairsSpec, pairs_in
from napari_mitostain.training.trainer import train
from waiting import wait, wait_until

_TICK_S = 0.010
_LATE_S = 0.050
_LOOK_S = 0.02
ALONE = ("alone, all cores", "alone, a core free")
IDLE, SCROLLING, PAUSED = "in the viewer, idle", "in the viewer, scrolling", "paused, scrolling"


class Watched:
    """A run that notes how long its steps take in which phase; only its own thread writes."""

    def __init__(self) -> None:
        self._phase, self._goes = IDLE, threading.Event()
        self._goes.set()
        self.steps: list[tuple[str, float]] = []
        self.is_over = False

    def turn_to(self, phase: str) -> None:
        """Go on in a phase; none of its steps counts that began in another."""
        self._phase = phase
        (self._goes.clear if phase == PAUSED else self._goes.set)()
        wait(0.5)  # the step that is under way; what the run says is taken meanwhile, so that it does not wait
        self.steps = []

    def per_second(self, phase: str) -> float:
        """Return the steps a second since the last turn."""
        times = [seconds for of, seconds in [*self.steps] if of == phase]
        return len(times) / sum(times)

    def job(self, start: Callable[[], Any]) -> Generator[Event, None, None]:
        """Train as the viewer does; alone, the run says nothing of its steps."""
        every = torch.get_num_threads()
        try:
            with a_core_left_to_the_viewer(), closing(start()) as events:
                fewer, before = torch.get_num_threads(), ("", 0.0)
                for event in events:
                    phase, now, is_step = self._phase, time.perf_counter(), isinstance(event, StepDone)
                    if is_step and before[0] == phase:
                        self.steps.append((phase, now - before[1]))
                    torch.set_num_threads(every if phase == ALONE[0] else fewer)
                    if not is_step or phase not in ALONE:
                        yield event
                    self._goes.wait()
                    before = (phase, time.perf_counter()) if is_step else ("", 0.0)
        finally:
            self._goes.set()
            self.is_over = True


class Window:
    """The viewer with what a user has open while a run trains."""

    def __init__(self, run: RunFolder) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1400, 900)
        random = np.random.default_rng(0)
        self.viewer.add_image(random.integers(0, 255, (50, 512, 512), dtype=np.uint8), name="stack")
        dock, self.curves = QWidget(), Curves()
        self.viewer.window.add_dock_widget(dock, name="run")
        QVBoxLayout(dock).addWidget(self.curves)
        self.machine = TimeMachine(self.viewer, run, dock)
        self.runner, self.run = JobRunner(dock, bar=NoBar), run
        self.runner.received.connect(self._receive)
        self._draws, self._ticks = 0, [time.perf_counter()]
        self._timer = QTimer(dock)
        self._timer.setInterval(round(1000 * _TICK_S))
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._ticks.append(time.perf_counter()))
        self._timer.start()
        canvas = self.viewer.window._qt_viewer.canvas._scene_canvas  # napari offers no event for a drawing
        canvas.events.draw.connect(self._count, position="last")

    def turn_to(self, phase: str) -> None:
        """Open the time machine for the user who only watches, and put it away for who scrolls."""
        (self.machine.show if phase == IDLE else self.machine.remove)()
        wait_until(lambda: not self.machine.is_busy, _LOOK_S)
        wait(0.5)

    def idle(self, seconds: float) -> list[float]:
        """Watch the time machine."""
        wait(seconds)
        return []

    def scroll(self, seconds: float, rate: float) -> list[float]:
        """Scroll through the stack, and return the seconds from each step to its drawing."""
        times: list[float] = []
        end, loop = time.perf_counter() + seconds, QEventLoop()
        while (begin := time.perf_counter()) < end:
            drawn = self._draws
            self.viewer.dims.set_current_step(self.viewer.dims.ndim - 3, len(times) % 50)
            while self._draws == drawn:
                loop.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            times.append(time.perf_counter() - begin)
            wait(max(0.001, begin + 1 / rate - time.perf_counter()))
        return times

    def late(self) -> list[float]:
        """Return by how much the ticks since the last call were late."""
        ticks, self._ticks = self._ticks, [time.perf_counter()]
        return [*(np.diff(ticks) - _TICK_S)]

    def _count(self, _: Any) -> None:
        self._draws += 1

    def _receive(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, EpochDone):
                self.curves.add(event.to_dict())
                previews = self.run.preview_images()
                if previews is not None and event.epoch in previews.stains:
                    self.machine.add(event.epoch, previews.stains[event.epoch])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=[*PRESETS], default="quick")
    parser.add_argument(
        "--pairs", type=Path, help="a folder with brightfield/ and mitochondria/; by default the samples"
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float, default=10, help="planes a second")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    spec = pairs_in(given.pairs) if given.pairs else samples()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(
            Path(folder) / "run", spec, settings_of(given.preset), given.rounds, given.seconds, given.rate
        )
    figures = {
        "rate": given.rate,
        "preset": given.preset,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        **figures,
    }
    print(json.dumps(figures) if given.json else table(figures))


def measure(
    path: Path, spec: PairsSpec, settings: TrainSettings, rounds: int, seconds: float, rate: float
) -> dict[str, Any]:
    """Train, and take the phases in turn, in every round."""
    run, watched = RunFolder(path), Watched()
    window = Window(run)
    window.runner.start("Training", partial(watched.job, partial(train, spec, path, settings, load_model())))
    wait_until(lambda: len(watched.steps) > 3, _LOOK_S)
    speeds: dict[str, list[float]] = {phase: [] for phase in (*ALONE, IDLE, SCROLLING)}
    late: dict[str, list[float]] = {IDLE: [], SCROLLING: [], PAUSED: []}
    scrolled: dict[str, list[float]] = {SCROLLING: [], PAUSED: []}
    scroll = partial(window.scroll, rate=rate)
    works: dict[str, Any] = {IDLE: window.idle, SCROLLING: scroll, PAUSED: scroll} | dict.fromkeys(ALONE, time.sleep)
    for _ in range(rounds):
        for phase, work in works.items():
            window.turn_to(phase)
            watched.turn_to(phase)
            window.late()
            times = work(seconds)
            if phase in late:
                late[phase] += window.late()
            if phase in scrolled:
                scrolled[phase] += times
            if phase in speeds:
                speeds[phase].append(watched.per_second(phase))
        watched.turn_to(IDLE)
    window.runner.cancel()
    wait_until(lambda: watched.is_over, _LOOK_S)
    window.viewer.close()
    return figures_of(speeds, late, scrolled)


def figures_of(
    speeds: dict[str, list[float]], late: dict[str, list[float]], scrolled: dict[str, list[float]]
) -> dict[str, Any]:
    """Take medians over the rounds of ratios within a round, and percentiles over all of them."""
    phases = (IDLE, SCROLLING)
    return {
        "steps_per_second": {phase: float(np.median(values)) for phase, values in speeds.items()},
        "speed_kept": {
            phase: {alone: float(np.median(np.divide(speeds[phase], speeds[alone]))) for alone in ALONE}
            for phase in phases
        },
        "late_share": {phase: float(np.mean(np.array(values) > _LATE_S)) for phase, values in late.items()},
        "latest_ms": {phase: 1000 * max(values) for phase, values in late.items()},
        "ticks": {phase: len(values) for phase, values in late.items()},
        "scroll_ms": {
            phase: dict(zip(("50 %", "99 %"), 1000 * np.percentile(values, [50, 99]), strict=True))
            for phase, values in scrolled.items()
        },
    }


def table(figures: dict[str, Any]) -> str:
    """Lay the figures out for reading."""
    lines = [
        f"Preset {figures['preset']}, {figures['cores']} cores, torch {figures['torch']}, {figures['rate']:g} planes/s",
        "",
    ]
    lines += [f"{'':<28}{'steps/s':>9}{'of all cores':>14}{'of a core free':>16}"]
    for phase, speed in figures["steps_per_second"].items():
        kept = figures["speed_kept"].get(phase)
        ratios = f"{kept[ALONE[0]]:14.2f}{kept[ALONE[1]]:16.2f}" if kept else ""
        lines.append(f"{phase:<28}{speed:9.2f}{ratios}")
    lines += ["", f"{'':<28}{'ticks':>9}{'late > 50 ms':>14}{'latest':>12}{'scroll 50 %':>14}{'99 %':>9}"]
    for phase, share in figures["late_share"].items():
        line = f"{phase:<28}{figures['ticks'][phase]:9}{share:14.2%}{figures['latest_ms'][phase]:9.0f} ms"
        times = figures["scroll_ms"].get(phase)
        lines.append(line + (f"{times['50 %']:11.1f} ms{times['99 %']:6.1f} ms" if times else ""))
    return "\n".join(lines)


def settings_of(preset: str) -> TrainSettings:
    """Return a preset's settings, for a run that is long enough and validated a few times a minute."""
    return replace(PRESETS[preset].settings, epochs=None, minutes=10.0)


def samples() -> PairsSpec:
    """Return the pairs that the package brings."""
    folder = Path(napari_mitostain.__file__).parent / "samples"
    return PairsSpec(folder / "brightfield_stack.ome.tif", folder / "stack_mitochondria.ome.tif")


if __name__ == "__main__":
    main()
