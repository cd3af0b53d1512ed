"""The viewer on sample data: brightfield, its stain, the true mitochondria and their TN weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_mitostain._qt import samples
from napari_mitostain._qt.layers import layer_stack
from napari_mitostain._qt.result_layer import METADATA, find_result
from napari_mitostain.errors import FileError, MitostainError
from napari_mitostain.image.files import Provenance, open_writer, read_stack, require_writable

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_mitostain._qt.job_runner import JobRunner
    from napari_mitostain._qt.jobs import Outcome

_WINDOW = (1600, 1000)
_DOCK_WIDTH = 330
_PATIENCE_S = 1800.0
_JOBS = 2
"""The stain and the weights."""


def run_demo(screenshot: Path | None = None, output: Path | None = None, overwrite: bool = False) -> None:
    """Open napari on the sample stack, stain it through the widget, and weigh its true mitochondria.

    Parameters
    ----------
    screenshot : Path, optional
        Save a picture of the window here once the jobs are done, and close.
    output : Path, optional
        Save the stain here as well.
    overwrite : bool
        Replace outputs that exist.

    Raises
    ------
    FileError
        If the samples are missing, or, before the viewer opens, if an output exists or cannot be written.
    MitostainError
        If the stain or the weights are not complete in the end.
    """
    _require_names(screenshot, output, overwrite)
    viewer = napari.Viewer(title="napari-mitostain demo")
    viewer.window.resize(*_WINDOW)
    outcomes: list[Outcome] = []
    runners = open_demo(viewer, outcomes.append)
    if screenshot is None and output is None:
        napari.run()  # until the user closes the window
        return
    with closing(viewer):
        _wait(runners)
        if [outcome.kind for outcome in outcomes] != ["done"] * _JOBS:
            raise MitostainError("Expected a complete stain and its weights, got less; see the error above.")
        if output is not None:
            save_stain(viewer, viewer.layers["brightfield"], output, overwrite)
        if screenshot is not None:
            viewer.window.screenshot(str(screenshot), canvas_only=False, flash=False)


def _require_names(screenshot: Path | None, output: Path | None, overwrite: bool) -> None:
    if screenshot is not None:
        if screenshot.suffix.lower() != ".png":
            raise FileError(f"Expected a screenshot's name ending in .png, got {screenshot}; choose such a name.")
        require_writable(screenshot, overwrite)
    if output is not None:  # a writer that is never entered writes nothing, but refuses what it would refuse later
        open_writer(output, read_stack(samples.FOLDER / "brightfield_stack.ome.tif"), Provenance("", "", ""), overwrite)


def open_demo(viewer: Viewer, ended: Callable[[Outcome], None]) -> list[JobRunner]:
    """Fill a viewer: brightfield and its stain on the left, the true mitochondria and their weights on the right.

    Parameters
    ----------
    viewer : Viewer
    ended : callable
        Told how each job ended.

    Returns
    -------
    list of JobRunner
        Of the stain and of the weights, both running.
    """
    (brightfield,) = viewer.open_sample("napari-mitostain", "brightfield_stack")
    data, look, _ = samples.stack_mitochondria()[0]
    mitochondria = viewer.add_image(data, **look)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mitostain", "Digital stain")
    dock.parent().resizeDocks([dock], [_DOCK_WIDTH], Qt.Orientation.Horizontal)
    widget.form.setValue(replace(widget.form.value(), layer=brightfield))
    widget.runner.ended.connect(ended)
    widget.button.click()
    _lay_side_by_side(viewer, brightfield, mitochondria)
    return [widget.runner]


def save_stain(viewer: Viewer, brightfield: Image, output: Path, overwrite: bool) -> None:
    """Write the stain of a layer to a file, with what it says about its origin.

    Raises
    ------
    MitostainError
        If the layer has no stain.
    """
    stain = find_result(viewer, brightfield, "stain")
    if stain is None:
        raise MitostainError(f"Expected a stain of {brightfield.name}, got none; see the error above.")
    stack, told = layer_stack(brightfield), dict(stain.metadata[METADATA])
    words = {word: told.pop(word) for word in ("software", "channel_name", "description")}
    origin = Provenance(**words, details=told)
    with open_writer(output, stack, origin, overwrite) as writer:
        for index in stack.planes():
            writer.write(index, stain.data[stack.slices(index)])


def _lay_side_by_side(viewer: Viewer, brightfield: Image, mitochondria: Image) -> None:
    stain, weights = find_result(viewer, brightfield, "stain"), find_result(viewer, mitochondria, "weights")
    for position, layer in enumerate((brightfield, stain, mitochondria, weights)):
        if layer is not None:
            viewer.layers.move(viewer.layers.index(layer), position)
            layer.name_overlay.visible = True
    for result in (stain, weights):
        if result is not None:
            result.name_overlay.position = "bottom_left"
    viewer.layers.selection.active = brightfield
    has_canvas = hasattr(viewer, "canvas")  # napari 0.9 moved what is drawn on the canvas there
    grid = viewer.canvas.grid if has_canvas else viewer.grid
    grid.stride, grid.shape, grid.enabled = 2, (1, 2), True
    (viewer.canvas.overlays.scale_bar if has_canvas else viewer.scale_bar).visible = True
    viewer.reset_view()


def _wait(runners: Sequence[JobRunner]) -> None:
    """Let the viewer run until its jobs are done, and what they did is drawn."""
    begin = time.monotonic()
    while any(runner.is_running for runner in runners):
        if time.monotonic() - begin > _PATIENCE_S:
            raise MitostainError(f"Expected the demo's jobs to end within {_PATIENCE_S:.0f} s; try a faster machine.")
        QApplication.processEvents()
        time.sleep(0.01)
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.05)
