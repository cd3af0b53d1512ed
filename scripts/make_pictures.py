"""Make the pictures of docs/weights.md with the program itself.

    python scripts/make_pictures.py [FOLDER]

Opens a viewer on the simulated sample pair (without a display: under xvfb-run), stains it, and writes three pictures,
by default into docs/images/. Prints what the documentation quotes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

IMAGES = Path(__file__).parents[1] / "docs" / "images"
_WINDOW = (1500, 950)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    folder = parser.parse_args().folder
    viewer = napari.Viewer()
    viewer.window.resize(*_WINDOW)
    brightfield, mitochondria = viewer.open_sample("napari-mitostain", "pair")
    stain_dock, stain = viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")
    viewer.layers.selection.active = brightfield
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
    grid_picture(viewer, weights, folder / "weights-loss.png")
    weights.loss.landscape.setChecked(True)
    picture(viewer, folder / "weights-landscape.png", canvas_only=True)
    viewer.close()


def grid_picture(viewer: Any, weights: Any, file: Path) -> None:
    """Show the five layers side by side, with their names, and nothing else."""
    panels = list(weights.loss.panels)
    others = [layer for layer in viewer.layers if layer not in panels]
    kept = [(layer, layer.visible) for layer in others]
    side = max(layer.extent.world[1][-1] for layer in panels) * 1.05
    for layer in others:
        layer.visible = False
    for number, layer in enumerate(panels):
        layer.name_overlay.visible = True
        layer.translate = (*layer.translate[:-1], number * side)
    picture(viewer, file, canvas_only=True, crop_to_content=True)
    for number, layer in enumerate(panels):
        layer.name_overlay.visible = False
        layer.translate = (*layer.translate[:-1], layer.translate[-1] - number * side)
    for layer, visible in kept:
        layer.visible = visible


def picture(viewer: Any, file: Path, canvas_only: bool, crop_to_content: bool = False) -> None:
    """Let the viewer draw, then save what it shows."""
    wait(0.5)
    if crop_to_content:
        viewer.export_figure(str(file), flash=False)
    else:
        viewer.window.screenshot(str(file), canvas_only=canvas_only, flash=False)
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
