"""Time what a user sees of a slider of the weight map: how soon the overlay is drawn, and how late the viewer gets.

    python benchmarks/overlay.py [SIDE]

Opens a viewer (without a display: under xvfb-run) on a stack of planes of SIDE × SIDE pixels, 1024 by default, moves a
slider of the dock widget "TN weight map" again and again, and prints percentiles in milliseconds. A software renderer,
such as that of a machine without a screen, takes most of the time itself.
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import QTimer

from waiting import wait, wait_until

_MOVES = 60
_TICK_MS = 10
_LOOK_S = 0.001


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, nargs="?", default=1024)
    side = parser.parse_args().side
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    viewer.add_image(np.random.default_rng(0).gamma(1.5, 20, (5, side, side)).clip(0, 255).astype(np.uint8))
    _, widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    wait_until(lambda: not widget.is_busy, _LOOK_S)
    wait(1.5)
    drawn: list[float] = []
    canvas = viewer.window._qt_viewer.canvas._scene_canvas  # napari offers no event for a drawing
    canvas.events.draw.connect(lambda _: drawn.append(time.perf_counter()), position="last")
    looked: list[float] = []
    widget._overlay.looked.connect(lambda _: looked.append(time.perf_counter()))
    slider = widget.form._a[1]

    times = []
    for move in range(_MOVES):
        looked.clear()
        begin = time.perf_counter()
        slider.setValue(0.3 + 0.005 * move)
        wait_until(lambda: bool(looked) and drawn[-1] > looked[0], _LOOK_S)
        times.append(next(moment for moment in drawn if moment > looked[0]) - begin)
        wait(0.06)
    say("from slider to drawn overlay", times)

    ticks = [time.perf_counter()]
    timer = QTimer()
    timer.setInterval(_TICK_MS)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    for move in range(_MOVES):
        slider.setValue(0.3 + 0.005 * move)
        wait(0.016)
    timer.stop()
    say(f"lateness of a {_TICK_MS} ms timer while dragging", np.diff(ticks) - _TICK_MS / 1000)
    viewer.close()


def say(name: str, seconds: object) -> None:
    """Print percentiles in milliseconds."""
    half, most, nearly_all = 1000 * np.percentile(np.asarray(seconds), [50, 90, 99])
    print(f"{name}: median {half:.0f} ms, 90 % {most:.0f} ms, 99 % {nearly_all:.0f} ms")


if __name__ == "__main__":
    main()
