"""Measure the live stain: how soon a view is stained, how soon a plane is back, and whether the slider ever stalls.

    python benchmarks/live.py [SIDE] [--planes 50] [--views 12] [--seconds 10] [--rate 10] [--zarr] [--json]

Opens a viewer (without a display: under xvfb-run) on a stack of planes of SIDE × SIDE pixels, 2048 by default, in
memory or as a multiscale OME-Zarr, and turns the live stain of the dock widget "Digital stain" on. Then it looks at
planes that were not seen yet, goes back to them, and at last scrolls by so many planes a second (10 is the speed at
which napari plays a stack) while a timer ticks every 10 ms: without a stain; beside a finished stain, which is what
napari needs to draw two layers; and with the live stain, over planes that are new to it and over planes it knows. Times
are from the move of the slider to the drawing of the canvas. A software renderer, such as that of a machine without a
screen, draws on the processor: it takes most of the main thread's time, and time from the network.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dask.array as da
import napari
import numpy as np
import zarr
from qtpy.QtCore import Qt, QTimer
from scipy.ndimage import gaussian_filter

from waiting import wait, wait_until

_TICK_S = 0.010
_LATE_S = 0.050
_LOOK_S = 0.002


class Watched:
    """A viewer whose drawings and whose lateness are noted."""

    def __init__(self, data: Any, multiscale: bool) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1400, 900)
        self.layer = self.viewer.add_image(data, name="cells", multiscale=multiscale, contrast_limits=(0, 255))
        self.planes = self.layer.data.shape[0]
        self.drawn, self._ticks = [time.perf_counter()], [time.perf_counter()]
        canvas = self.viewer.window._qt_viewer.canvas._scene_canvas  # napari offers no event for a drawing
        canvas.events.draw.connect(lambda _: self.drawn.append(time.perf_counter()), position="last")
        self._timer = QTimer()
        self._timer.setInterval(round(1000 * _TICK_S))
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._ticks.append(time.perf_counter()))
        wait(1)

    def go_to(self, plane: int) -> float:
        """Move the slider, and return when."""
        begin = time.perf_counter()
        self.viewer.dims.set_current_step(0, plane)
        return begin

    def scroll(self, planes: Iterable[int], rate: float) -> np.ndarray:
        """Scroll, and return by how much the ticks meanwhile were late."""
        self._ticks = [time.perf_counter()]
        self._timer.start()
        for plane in planes:
            begin = self.go_to(plane % self.planes)
            wait(max(0.001, begin + 1 / rate - time.perf_counter()))
        self._timer.stop()
        return np.diff(self._ticks) - _TICK_S


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, nargs="?", default=2048)
    parser.add_argument("--planes", type=int, default=50)
    parser.add_argument("--views", type=int, default=12, help="fresh views, and planes that are looked at again")
    parser.add_argument("--seconds", type=float, default=10, help="of scrolling")
    parser.add_argument("--rate", type=float, default=10, help="planes a second")
    parser.add_argument("--zarr", action="store_true", help="a multiscale OME-Zarr on disk, and not an array")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = on_disk(Path(folder), given.side, given.planes) if given.zarr else stack(given.side, given.planes)
        figures = measure(Watched(data, given.zarr), given.views, given.seconds, given.rate)
    print(json.dumps(figures) if given.json else table(figures, given))


def measure(watched: Watched, views: int, seconds: float, rate: float) -> dict[str, Any]:
    """Take all figures, one after the other."""
    steps = range(round(seconds * rate))
    late = {"no stain": watched.scroll(steps, rate)}
    watched.viewer.add_image(np.ones(watched.layer.data.shape, np.float32), colormap="magenta", blending="additive")
    wait(1)
    late["finished stain"] = watched.scroll(steps, rate)
    watched.viewer.layers.pop()
    _, widget = watched.viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")
    watched.go_to(0)
    wait(1)
    live = widget.live
    begin = time.perf_counter()
    widget.live_button.click()
    wait_until(lambda: len(live.tiles.cache) > 0, _LOOK_S)
    opened = time.perf_counter() - begin
    order = np.random.default_rng(0).permutation(np.arange(10, watched.planes))[:views].tolist()
    fresh = [seconds_to_stain(watched, live, plane, rests=1.5) for plane in order]
    wait_until(lambda: not live.is_busy, _LOOK_S)
    again = [seconds_to_stain(watched, live, plane, rests=0.5) for plane in [*order[-4:], *order[-4:]]]
    late["live, new planes"] = watched.scroll(steps, rate)
    wait_until(lambda: not live.is_busy, _LOOK_S)
    here = watched.viewer.dims.current_step[0]  # and the planes after it were stained ahead
    late["live, known planes"] = watched.scroll([here + (i % 4 if i // 4 % 2 else 3 - i % 4) for i in steps], rate)
    watched.viewer.close()
    return {
        "cores": os.cpu_count(),
        "opened_s": opened,
        "fresh_ms": percentiles(fresh),
        "again_ms": percentiles(again),
        "late": {
            name: {**percentiles(values), "late_share": float(np.mean(values > _LATE_S)), "ticks": len(values)}
            for name, values in late.items()
        },
    }


def seconds_to_stain(watched: Watched, live: Any, plane: int, rests: float) -> float:
    """Go to a plane, and return the seconds until some of its stain is drawn."""
    begin = watched.go_to(plane)
    wait_until(lambda: any(key.plane == (plane,) for key, _ in live.tiles.cache.items()), _LOOK_S)
    shown = time.perf_counter()
    wait_until(lambda: watched.drawn[-1] > shown, _LOOK_S)
    taken = watched.drawn[-1] - begin
    wait(rests)
    return taken


def percentiles(seconds: Any) -> dict[str, float]:
    """Return half, nearly all and the worst, in milliseconds."""
    half, nearly, worst = 1000 * np.percentile(np.asarray(seconds), [50, 99, 100])
    return {"50 %": half, "99 %": nearly, "worst": worst}


def table(figures: dict[str, Any], given: argparse.Namespace) -> str:
    """Lay the figures out for reading."""
    kind = "multiscale OME-Zarr" if given.zarr else "in memory"
    lines = [f"{given.side}×{given.side}×{given.planes} {kind}, {figures['cores']} cores, {given.rate:g} planes/s"]
    lines += [f"turned on, with the model loaded: {figures['opened_s']:.1f} s", ""]
    lines += [f"{'ms':<42}{'50 %':>8}{'99 %':>8}{'worst':>8}"]
    named = {"first tile of a fresh view": figures["fresh_ms"], "revisited plane": figures["again_ms"]}
    named |= {f"10 ms timer late, {name}": values for name, values in figures["late"].items()}
    for name, values in named.items():
        line = f"{name:<42}{values['50 %']:8.1f}{values['99 %']:8.1f}{values['worst']:8.1f}"
        lines.append(
            line + (f"   > 50 ms: {values['late_share']:.2%} of {values['ticks']}" if "ticks" in values else "")
        )
    return "\n".join(lines)


def stack(side: int, planes: int) -> np.ndarray:
    """Make smooth structures on grain, each plane different."""
    random = np.random.default_rng(0)
    plane = 128 + 400 * gaussian_filter(random.standard_normal((side, side), np.float32), 2)
    plane = (plane + 3 * random.standard_normal((side, side), np.float32)).clip(0, 255).astype(np.uint8)
    return np.stack([np.roll(plane, (37 * i, 91 * i), (0, 1)) for i in range(planes)])


def on_disk(folder: Path, side: int, planes: int) -> list[Any]:
    """Write a stack as a pyramid of chunks, each level half as large, and open it."""
    levels, data = [], stack(side, planes)
    for number in range(3):
        level = zarr.create_array(
            folder / str(number), shape=data.shape, chunks=(1, 512, 512), dtype=data.dtype, overwrite=True
        )
        level[:] = data
        levels.append(da.from_zarr(level))  # as napari's readers do: a slice of a zarr array is read as a whole
        data = data[:, ::2, ::2]
    return levels


if __name__ == "__main__":
    main()
