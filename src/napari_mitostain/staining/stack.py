"""Stain a stack: image, model and settings in, events out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.events import Event, Notice, PlaneDone, TileDone
from napari_mitostain.image import PlaneIndex, Stack, fill_non_finite, load_array, notices_of_first, scale_brightfield
from napari_mitostain.image.files import read_stack
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.prefetching import prefetched
from napari_mitostain.staining.messages import about_empty, no_contrast, plane_name
from napari_mitostain.staining.resampling import box_in_plane, fitted, resampled, resampled_shape
from napari_mitostain.staining.tiler import PlaneTiler

MOST_ZOOM = 16.0
"""Resampling beyond it means a wrong pixel size, and planes that no memory holds."""


def stain(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    settings: StainSettings = StainSettings(),
    axes: str | None = None,
    channel: int | None = None,
) -> NDArray[np.float32]:
    """Predict the mitochondria of a brightfield image; what the user should know comes as warnings.

    Parameters
    ----------
    image : array-like, Stack, str or Path
        Brightfield plane (Y, X) or stack of planes; NumPy, dask or zarr; or the file of one.
    model : str, Path or Model
        Name of an installed model, a model file, or a loaded model.
    settings : StainSettings
        Device, precision and tile size.
    axes : str, optional
        One letter for each dimension of an array, such as "TZYX"; guessed if absent. A file names its own.
    channel : int, optional
        Position of brightfield along axis C; by default the first, and a warning if there are several.

    Returns
    -------
    ndarray of float32
        Relative intensity in [0, 1] with the axes of `image`, one channel along axis C. Not quantitative fluorescence.

    Raises
    ------
    ImageError, FileError, ModelError, DeviceError

    Examples
    --------
    >>> import numpy as np
    >>> stain(np.random.default_rng(0).random((40, 60))).shape
    (40, 60)
    """
    opened = read_stack(image) if isinstance(image, (str, Path)) else image
    stack = opened if isinstance(opened, Stack) else load_array(opened, axes)
    loaded = model if isinstance(model, Model) else load_model(model)
    result = np.zeros(stack.stained_shape(), np.float32)
    for event in chain(notices_of_first(stack, channel), stain_stack(stack, loaded, settings, channel or 0)):
        if isinstance(event, Notice):
            warnings.warn(event.message, stacklevel=2)
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
        If there is no such channel, or if resampling would change the size beyond reason.
    NoContrastError
        After the last plane, if no plane had any contrast.
    """
    indices = stack.planes(channel) if planes is None else list(planes)
    predictor = Predictor(model, settings)
    zoom = zoom_for(stack, model, settings)
    if zoom is None:
        unknown = f"of {stack.name}" if stack.pixel_size is None else f"that {model.card.name} was trained on"
        yield Notice(message=f"Not resampled: the pixel size {unknown} is unknown.")
        zoom = 1.0
    blank: list[PlaneIndex] = []
    scaled = _scaled(stack, model, indices, zoom)
    if predictor.device.type == "cpu":  # its cores have nothing left for other threads
        yield from _stained(stack, scaled, PlaneTiler(predictor), zoom, len(indices), blank)
    else:
        with closing(prefetched(scaled)) as ahead:
            yield from _stained(stack, ahead, PlaneTiler(predictor), zoom, len(indices), blank)
    if blank and len(blank) == len(indices):
        raise no_contrast(stack, blank)
    if blank:
        yield Notice(message=about_empty(stack, blank))


@dataclass(frozen=True, slots=True)
class _ScaledPlane:
    """A plane made ready for the generator: `scaled` (Y, X), and whether pixels that are not finite were filled in."""

    index: PlaneIndex
    scaled: NDArray[np.float32]
    is_filled: bool


def _scaled(stack: Stack, model: Model, indices: Sequence[PlaneIndex], zoom: float) -> Iterator[_ScaledPlane]:
    """Read and scale plane after plane."""
    for index in indices:
        image = stack.read(index)
        usable = fill_non_finite(image)
        scaled = scale_brightfield(resampled(usable, zoom), model.card.scaling)
        yield _ScaledPlane(index, scaled, usable is not image)


def _stained(
    stack: Stack, scaled: Iterator[_ScaledPlane], tiler: PlaneTiler, zoom: float, total: int, blank: list[PlaneIndex]
) -> Iterator[Event]:
    """Stain scaled planes, as many at once as suits the device; those without contrast are noted in `blank`."""
    done, shape = 0, resampled_shape(stack.plane_shape, zoom)
    while some := list(islice(scaled, tiler.at_once(shape))):
        for plane in some:
            if plane.is_filled:
                name = plane_name(stack, plane.index)
                yield Notice(message=f"{name} has pixels that are not finite, their median stands in.")
        stains = np.zeros((len(some), *shape), np.float32)
        visible = [number for number, plane in enumerate(some) if plane.scaled.any()]
        blank += [plane.index for number, plane in enumerate(some) if number not in visible]
        for part in tiler.run(_together([some[number].scaled for number in visible])):
            if isinstance(part, Notice):
                yield part
                continue
            box, fraction = box_in_plane(part.core, zoom, stack.plane_shape), (done + part.fraction * len(some)) / total
            for number, values in zip(visible[part.first :], part.values, strict=False):
                stains[number][part.core] = values
                index = stack.stained_index(some[number].index)
                yield TileDone(plane=index, box=box, values=fitted(values, box), fraction=fraction)
        for plane, stain in zip(some, stains, strict=True):
            done += 1
            whole = fitted(stain, (slice(0, stack.plane_shape[0]), slice(0, stack.plane_shape[1])))
            yield PlaneDone(plane=stack.stained_index(plane.index), values=whole, done=done, total=total)


def _together(planes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return planes as one array (B, Y, X), a single one without a copy."""
    return planes[0][None] if len(planes) == 1 else np.array(planes, np.float32)


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
