"""Where a viewer looks; and how it looks, to be brought back after something has taken it over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_CAMERA = ("center", "zoom", "angles")


def camera_of(viewer: Viewer) -> Any:
    """Return the camera; napari 0.9 moved it."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


@dataclass(frozen=True)
class WorldPoint:
    """A point of a viewer's world.

    Attributes
    ----------
    values : tuple of float
        One for each axis.
    units : tuple of pint.Unit, optional
        In which the values are; None in a napari before 0.9, or where layers contradict each other: in the layers' own.
    """

    values: tuple[float, ...]
    units: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, viewer: Viewer) -> WorldPoint:
        """Take down where the sliders are."""
        return cls(viewer.dims.point, getattr(viewer.dims, "units", None))


def point_events(viewer: Viewer) -> list[Any]:
    """Return the emitters that tell of another point; its units follow its values, in an event of their own."""
    events = viewer.dims.events
    return [events[name] for name in ("point", "units") if name in events.emitters]


@dataclass(frozen=True)
class ViewState:
    """Which layers are seen, and from where."""

    visible: tuple[Layer, ...]
    selected: frozenset[Layer]
    point: WorldPoint
    displays: int
    camera: dict[str, Any]

    @classmethod
    def of(cls, viewer: Viewer) -> ViewState:
        """Take down the state of a viewer."""
        camera = {name: getattr(camera_of(viewer), name) for name in _CAMERA}
        shown = tuple(layer for layer in viewer.layers if layer.visible)
        selected = frozenset(viewer.layers.selection)
        return cls(shown, selected, WorldPoint.of(viewer), viewer.dims.ndisplay, camera)

    def bring_back(self, viewer: Viewer) -> None:
        """Give a viewer this state again, as far as its layers are still there."""
        for layer in self.visible:
            layer.visible = True
        if left := self.selected & {*viewer.layers}:
            viewer.layers.selection = left
        viewer.dims.ndisplay = self.displays
        last = min(viewer.dims.ndim, len(self.point.values))  # axes that came or went did so before the others
        viewer.dims.set_point(range(viewer.dims.ndim - last, viewer.dims.ndim), self.point.values[-last:])
        for name, value in self.camera.items():
            setattr(camera_of(viewer), name, value)


class Takeover:
    """The view of a viewer in someone's hands, until they give it back as it was.

    There is one at a time: a second would take down the view of the first, and bring it back when that is over.

    Parameters
    ----------
    viewer : Viewer
    leave : callable
        Gives the view back at once; called when another takes it over.

    Attributes
    ----------
    before : ViewState
    """

    _all: ClassVar[WeakValueDictionary[int, Takeover]] = WeakValueDictionary()  # by viewer, which each keeps alive

    def __init__(self, viewer: Viewer, leave: Callable[[], None]) -> None:
        self._viewer, self._leave = viewer, leave
        self._key = id(getattr(viewer, "__wrapped__", viewer))  # napari gives each plugin a proxy of its own
        if (other := self._all.get(self._key)) is not None:
            other._leave()
        self.before = ViewState.of(viewer)
        self._all[self._key] = self

    def give_back(self) -> None:
        """Bring the view back."""
        self._all.pop(self._key, None)
        self.before.bring_back(self._viewer)
