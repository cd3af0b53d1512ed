"""The viewer on sample data: brightfield, its stain, the true mitochondria and their TN weights."""

from __future__ import annotations

import time
from collections.abc import Callable
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
_PLUGIN = "napari-mitostain"


def run_demo(screenshot: Path | None = None, output: Path | None = None, overwrite: bool = False) -> None:
    """Open napari on the sample stack, stain it and weigh its true mitochondria through the widgets.

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
        If the stain is not complete in the end.
    """
    _require_names(screenshot, output, overwrite)
    viewer = napari.Viewer(title="napari-mitostain demo")
    viewer.window.resize(*_WINDOW)
    outcomes: list[Outcome] = []
    runner = open_demo(viewer, outcomes.append)
    if screenshot is None and output is None:
        napari.run()  # until the user closes the window
        return
    with closing(viewer):
        _wait_until(lambda: not runner.is_running)
        if [outcome.kind for outcome in outcomes] != ["done"]:
            raise MitostainError("Expected a complete stain, got less; see the error above.")
        if output is not None:
            save_stain(viewer, viewer.layers["brightfield"], output, overwrite)
        if screenshot is not None:
            _draw()
            viewer.window.screenshot(str(screenshot), canvas_only=False, flash=False)


def _require_names(screenshot: Path | None, output: Path | None, overwrite: bool) -> None:
    if screenshot is not None:
        if screenshot.suffix.lower() != ".png":
            raise FileError(f"Expected a screenshot's name ending in .png, got {screenshot}; choose such a name.")
        require_writable(screenshot, overwrite)
    if output is not None:  # a writer that is never entered writes nothing, but refuses what it would refuse later
        open_writer(output, read_stack(samples.FOLDER / "brightfield_stack.ome.tif"), Provenance("", "", ""), overwrite)


def open_demo(viewer: Viewer, ended: Callable[[Outcome], None]) -> JobRunner:
    """Fill a viewer: brightfield and its stain above, the true mitochondria and their weights below.

    Parameters
    ----------
    viewer : Viewer
    ended : callable
        Told how the stain ended.

    Returns
    -------
    JobRunner
        Of the stain, running.
    """
    (brightfield,) = viewer.open_sample(_PLUGIN, "brightfield_stack")
    data, look, _ = samples.stack_mitochondria()[0]
    mitochondria = viewer.add_image(data, **look)
    _, weights = viewer.window.add_plugin_dock_widget(_PLUGIN, "TN weight map")
    weights.shown["contours"].setChecked(False)
    _wait_until(lambda: not weights.is_busy)
    dock, stain = viewer.window.add_plugin_dock_widget(_PLUGIN, "Digital stain", tabify=True)
    dock.parent().resizeDocks([dock], [_DOCK_WIDTH], Qt.Orientation.Horizontal)
    stain.form.setValue(replace(stain.form.value(), layer=brightfield))
    stain.runner.ended.connect(ended)
    stain.button.click()
    _lay_out(viewer, brightfield, mitochondria)
    return stain.runner  # type: ignore[no-any-return]


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
    del told["layer"], told["made"]  # of this viewer alone
    words = {word: told.pop(word) for word in ("software", "channel_name", "description")}
    origin = Provenance(**words, details=told)
    with open_writer(output, stack, origin, overwrite) as writer:
        for index in stack.planes():
            writer.write(index, stain.data[stack.slices(index)])


def _lay_out(viewer: Viewer, brightfield: Image, mitochondria: Image) -> None:
    """Give each of the four layers a cell of its own, with its name."""
    stain, weights = find_result(viewer, brightfield, "stain"), find_result(viewer, mitochondria, "weights")
    for position, layer in enumerate((brightfield, stain, mitochondria, weights)):
        if layer is not None:
            viewer.layers.move(viewer.layers.index(layer), position)
            layer.name_overlay.visible = True
            layer.opacity = 1.0  # nothing lies below it here
    viewer.layers.selection.active = brightfield
    has_canvas = hasattr(viewer, "canvas")  # napari 0.9 moved what is drawn on the canvas there
    grid = viewer.canvas.grid if has_canvas else viewer.grid
    grid.stride, grid.shape, grid.enabled = 1, (2, 2), True
    (viewer.canvas.overlays.scale_bar if has_canvas else viewer.scale_bar).visible = True
    viewer.reset_view()


def _wait_until(condition: Callable[[], bool]) -> None:
    """Let the viewer run until a condition holds."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > _PATIENCE_S:
            raise MitostainError(f"Expected the demo's jobs to end within {_PATIENCE_S:.0f} s; try a faster machine.")
        QApplication.processEvents()
        time.sleep(0.01)


def _draw() -> None:
    """Let the viewer draw what its jobs did."""
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.05)
