"""Stain a stack: image, model and settings in, events out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.events import Event, Notice, PlaneDone, TileDone
from napari_mitostain.image import PlaneIndex, Stack, fill_non_finite, load_array, scale_brightfield
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining.resampling import box_in_plane, fitted, resampled
from napari_mitostain.staining.tiler import PlaneTiler

MOST_ZOOM = 16.0
"""Resampling beyond it means a wrong pixel size, and planes that no memory holds."""

_PLANES_NAMED = 5
"""Planes that a notice names one by one; a long stack could have thousands."""


def stain(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    settings: StainSettings = StainSettings(),
    axes: str | None = None,
    channel: int = 0,
) -> NDArray[np.float32]:
    """Predict the mitochondria of a brightfield image.

    Parameters
    ----------
    image : array-like or Stack
        Brightfield plane (Y, X) or stack of planes; NumPy, dask or zarr.
    model : str, Path or Model
        Name of an installed model, a model file, or a loaded model.
    settings : StainSettings
        Device, precision and tile size.
    axes : str, optional
        One letter for each dimension of `image`, such as "TZYX"; guessed if absent.
    channel : int
        Position of brightfield along axis C.

    Returns
    -------
    ndarray of float32
        Relative intensity in [0, 1] with the axes of `image`, one channel along axis C. Not quantitative fluorescence.

    Raises
    ------
    ImageError, ModelError, DeviceError

    Examples
    --------
    >>> import numpy as np
    >>> stain(np.random.default_rng(0).random((40, 60))).shape
    (40, 60)
    """
    stack = image if isinstance(image, Stack) else load_array(image, axes)
    loaded = model if isinstance(model, Model) else load_model(model)
    result = np.zeros(stack.stained_shape(), np.float32)
    for event in stain_stack(stack, loaded, settings, channel):
        if isinstance(event, PlaneDone):
            stack.put(result, event.plane, event.values)
    return result


def stain_stack(
    stack: Stack,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int = 0,
    planes: Sequence[PlaneIndex] | None = None,
) -> Iterator[Event]:
    """Stain plane by plane, tile by tile.

    Parameters
    ----------
    stack : Stack
    model : Model
    settings : StainSettings
    channel : int
    planes : sequence of tuple of int, optional
        Which planes, in which order; by default all planes of the channel.

    Yields
    ------
    Event
        `TileDone` for each tile, `PlaneDone` for each plane, `Notice`.

    Raises
    ------
    ImageError
        If there is no such channel, if resampling would change the size beyond reason or, after the last plane, if no
        plane had any contrast.
    """
    indices = stack.planes(channel) if planes is None else list(planes)
    tiler = PlaneTiler(Predictor(model, settings))
    zoom = zoom_for(stack, model, settings)
    if zoom is None:
        unknown = f"of {stack.name}" if stack.pixel_size is None else f"that {model.card.name} was trained on"
        yield Notice(message=f"Not resampled: the pixel size {unknown} is unknown.")
        zoom = 1.0
    blank: list[PlaneIndex] = []
    for done, index in enumerate(indices):
        image = stack.read(index)
        usable = fill_non_finite(image)
        if usable is not image:
            yield Notice(message=f"{_named(stack, index)} has pixels that are not finite, their median stands in.")
        scaled = scale_brightfield(resampled(usable, zoom), model.card.scaling)
        stained = np.zeros(scaled.shape, np.float32)
        if not scaled.any():
            blank.append(index)
        for part in tiler.run(scaled) if scaled.any() else ():
            if isinstance(part, Notice):
                yield part
                continue
            stained[part.core] = part.values
            box = box_in_plane(part.core, zoom, image.shape)
            yield TileDone(
                plane=stack.stained_index(index),
                box=box,
                values=fitted(part.values, box),
                fraction=(done + part.fraction) / len(indices),
            )
        whole = fitted(stained, (slice(0, image.shape[0]), slice(0, image.shape[1])))
        yield PlaneDone(plane=stack.stained_index(index), values=whole, done=done + 1, total=len(indices))
    if blank and len(blank) == len(indices):
        raise _no_contrast(stack, blank)
    if blank:
        yield Notice(message=_empty(stack, blank))


def _named(stack: Stack, index: PlaneIndex) -> str:
    """Name a plane for people: "plane t=0, z=3 of cells.tif"; a stack of one plane by its own name."""
    return f"Plane {_position(stack, index)} of {stack.name}" if index else stack.name


def _position(stack: Stack, index: PlaneIndex) -> str:
    letters = [axis.lower() for axis in stack.axes if axis not in "YX"]
    return ", ".join(f"{axis}={i}" for axis, i in zip(letters, index, strict=True))


def _empty(stack: Stack, blank: list[PlaneIndex]) -> str:
    if len(blank) == 1:
        return f"{_named(stack, blank[0])} is constant, its stain is empty."
    some = "; ".join(_position(stack, index) for index in blank[:_PLANES_NAMED])
    more = "; …" if len(blank) > _PLANES_NAMED else ""
    return f"{len(blank)} planes of {stack.name} are constant, their stain is empty: {some}{more}."


def _no_contrast(stack: Stack, blank: list[PlaneIndex]) -> ImageError:
    one, planes = len(blank) == 1, len(stack.planes())
    got = f"{len(blank)} constant planes" if not one else "a constant plane" if planes > 1 else "a constant image"
    other = "channel" if stack.channel_count > 1 else "plane" if planes > len(blank) else "image"
    return ImageError(
        f"Expected brightfield with contrast in {stack.name}, got {got} (equal pixels); choose another {other}."
    )


def zoom_for(stack: Stack, model: Model, settings: StainSettings) -> float | None:
    """Return the zoom that the settings ask for, None if they ask for one that is unknown.

    Raises
    ------
    ImageError
        If it would change the size beyond reason.
    """
    zoom = stack.zoom_to(model.card.pixel_size_um) if settings.resample else 1.0
    if zoom is not None and not 1 / MOST_ZOOM <= zoom <= MOST_ZOOM:
        raise ImageError(
            f"Expected pixels of about {model.card.pixel_size_um} µm in {stack.name}, got {stack.pixel_size} µm; "
            "correct the pixel size or do not resample."
        )
    return zoom
