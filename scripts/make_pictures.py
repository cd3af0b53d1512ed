"""Make the pictures of docs/weights.md, docs/live.md and docs/fine_tuning.md with the program itself.

    python scripts/make_pictures.py [FOLDER]

Opens a viewer on the simulated samples (without a display: under xvfb-run), stains a pair, fine-tunes on a stack for
two minutes, and writes pictures, by default into docs/images/. Prints what the documentation quotes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_mitostain._qt.view_state import camera_of

IMAGES = Path(__file__).parents[1] / "docs" / "images"
_WINDOW = (1500, 950)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    weighting(folder)
    live(folder)
    with tempfile.TemporaryDirectory() as data_home:
        os.environ["XDG_DATA_HOME"] = data_home  # where runs are listed and kept
        tuning(folder)


def weighting(folder: Path) -> None:
    """Show the weight map of a pair, and the loss of its stain before and after weighting."""
    viewer = new_viewer()
    brightfield, mitochondria = viewer.open_sample("napari-mitostain", "pair")
    stain_dock, stain = viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")
    stain.form.setValue(replace(stain.form.value(), layer=brightfield))
    stain.button.click()
    wait_until(lambda: stain.button.text() == "Stain")
    viewer.window.remove_dock_widget(stain_dock)
    brightfield.visible = viewer.layers["brightfield stain"].visible = False
    mitochondria.colormap = "gray"
    viewer.layers.selection.active = mitochondria
    _, weights = viewer.window.add_plugin_dock_widget("napari-mitostain", "TN weight map")
    wait_until(lambda: not weights.is_busy)
    viewer.reset_view()
    picture(viewer, folder / "weights-workbench.png", canvas_only=False)
    weights.loss.button.click()
    wait_until(lambda: bool(weights.loss.panels))
    print(weights.loss.words.text())
    row_picture(viewer, list(weights.loss.panels), folder / "weights-loss.png")
    weights.loss.landscape.setChecked(True)
    picture(viewer, folder / "weights-landscape.png", canvas_only=True)
    viewer.close()


def live(folder: Path) -> None:
    """Show the live stain of a time-lapse, and of a slide with several resolutions that it has just begun with."""
    viewer = new_viewer()
    brightfield, mitochondria = viewer.open_sample("napari-mitostain", "time_lapse")
    mitochondria.visible = False
    _, widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")
    widget.form.setValue(replace(widget.form.value(), layer=brightfield))
    viewer.dims.set_current_step(0, 4)
    widget.live_button.click()
    wait_until(lambda: not widget.live.is_busy)
    viewer.reset_view()
    picture(viewer, folder / "live-time-lapse.png", canvas_only=False)
    widget.live_button.click()
    field = brightfield.data[4]
    viewer.layers.clear()
    slide = np.tile(np.block([[field, field[:, ::-1]], [field[::-1], field[::-1, ::-1]]]), (16, 16))
    levels = [slide[:: 2**level, :: 2**level] for level in range(5)]
    viewer.add_image(levels, multiscale=True, name="slide", scale=(0.08, 0.08), units="um")
    viewer.reset_view()
    camera_of(viewer).zoom *= 2.2
    wait(1)
    widget.live_button.click()
    wait_until(lambda: len(widget.live.tiles.cache) > 50)
    picture(viewer, folder / "live-slide.png", canvas_only=False)
    viewer.close()


def tuning(folder: Path) -> None:
    """Show the tutorial of fine-tuning: the check, the run, its time machine."""
    viewer = new_viewer()
    viewer.open_sample("napari-mitostain", "stack_pair")
    _, tuner = viewer.window.add_plugin_dock_widget("napari-mitostain", "Fine-tune")
    wait_until(lambda: not tuner.is_busy)
    asked = tuner.form.value()
    tuner.form.setValue(replace(asked, settings=replace(asked.settings, minutes=2.0), name="my first run"))
    wait_until(lambda: not tuner.is_busy)
    picture(viewer, folder / "tuning-check.png", canvas_only=False)
    tuner.button.click()
    wait(60)
    picture(viewer, folder / "tuning-run.png", canvas_only=False)
    wait_until(lambda: not tuner.is_busy)
    tuner.view.travel.click()
    wait_until(lambda: tuner.view.machine.is_shown)
    picture(viewer, folder / "tuning-time-machine.png", canvas_only=False)
    viewer.close()


def new_viewer() -> Any:
    """Open a viewer as large as the pictures."""
    viewer = napari.Viewer()
    viewer.window.resize(*_WINDOW)
    return viewer


def row_picture(viewer: Any, panels: list[Any], file: Path) -> None:
    """Show layers side by side, and nothing else."""
    kept = [(layer, layer.visible) for layer in viewer.layers if layer not in panels]
    width = 1.05 * max(layer.extent.world[1][-1] for layer in panels)
    for layer, _ in kept:
        layer.visible = False
    for number, layer in enumerate(panels):
        layer.translate = (*layer.translate[:-1], layer.translate[-1] + number * width)
    wait(0.5)
    save(viewer.export_figure(flash=False)[..., :3], file)
    for number, layer in enumerate(panels):
        layer.translate = (*layer.translate[:-1], layer.translate[-1] - number * width)
    for layer, visible in kept:
        layer.visible = visible


def picture(viewer: Any, file: Path, canvas_only: bool) -> None:
    """Let the viewer draw, then save what it shows; of the canvas alone, what is not empty."""
    wait(0.5)
    pixels = viewer.window.screenshot(canvas_only=canvas_only, flash=False)[..., :3]
    if canvas_only:
        rows, columns = (np.flatnonzero(pixels.any(axis=(axis, 2))) for axis in (1, 0))
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    save(pixels, file)


def save(pixels: Any, file: Path) -> None:
    """Write a picture no wider than the window."""
    image = Image.fromarray(pixels)
    image.thumbnail((_WINDOW[0], _WINDOW[0]))
    image.save(file, optimize=True)
    print(file)


def wait_until(condition: Callable[[], bool]) -> None:
    """Run the viewer until a condition holds."""
    while not condition():
        wait(0.02)
    wait(0.3)


def wait(seconds: float) -> None:
    """Run the viewer for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
