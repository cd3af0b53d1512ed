"""How a viewer looks, to be brought back after something has taken it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_CAMERA = ("center", "zoom", "angles")


def camera_of(viewer: Viewer) -> Any:
    """Return the camera; napari 0.9 moved it."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


@dataclass(frozen=True)
class ViewState:
    """Which layers are seen, and from where."""

    visible: tuple[Layer, ...]
    active: Layer | None
    point: tuple[float, ...]
    displays: int
    camera: dict[str, Any]

    @classmethod
    def of(cls, viewer: Viewer) -> ViewState:
        """Take down the state of a viewer."""
        camera = {name: getattr(camera_of(viewer), name) for name in _CAMERA}
        shown = tuple(layer for layer in viewer.layers if layer.visible)
        return cls(shown, viewer.layers.selection.active, viewer.dims.point, viewer.dims.ndisplay, camera)

    def bring_back(self, viewer: Viewer) -> None:
        """Give a viewer this state again, as far as its layers are still there."""
        for layer in self.visible:
            layer.visible = True
        if self.active in viewer.layers:
            viewer.layers.selection.active = self.active
        viewer.dims.ndisplay = self.displays
        viewer.dims.set_point(range(min(viewer.dims.ndim, len(self.point))), self.point[: viewer.dims.ndim])
        for name, value in self.camera.items():
            setattr(camera_of(viewer), name, value)
