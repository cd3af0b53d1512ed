"""Stain a stack: image, model and settings in, events out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.events import Event, Notice, PlaneDone, TileDone
from napari_mitostain.image import PlaneIndex, Stack, load_array, notices_of_first
from napari_mitostain.image.files import read_stack
from napari_mitostain.model.device import choose_device, helping_threads
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.prefetching import concurrently
from napari_mitostain.staining.batches import Part, parts
from napari_mitostain.staining.messages import about_empty, no_contrast
from napari_mitostain.staining.resampling import box_in_plane, fitted

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

    def kept(event: Event) -> Event:
        if isinstance(event, PlaneDone):
            stack.put(result, event.plane, event.values)
        return event

    plane_bytes = math.prod(stack.plane_shape) * result.itemsize
    helpers = helping_threads(choose_device(settings.device), plane_bytes) if result.nbytes > plane_bytes else 0
    with closing(stain_stack(stack, loaded, settings, channel or 0)) as events:
        told = (event for event in chain(notices_of_first(stack, channel), events) if not isinstance(event, TileDone))
        with closing(concurrently(kept, told, helpers)) as finished:
            for event in finished:
                if isinstance(event, Notice):
                    warnings.warn(event.message, stacklevel=2)
    return result


def stain_stack(
    stack: Stack,
    model: Model,
    settings: StainSettings = StainSettings(),
    channel: int = 0,
    planes: Sequence[PlaneIndex] | None = None,
) -> Generator[Event, None, None]:
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
        `TileDone` for each tile, `PlaneDone` for each plane, `Notice`. On a CUDA GPU their values lie in memory that it
        reaches by itself, of which a machine has little to spare: copy what is kept for long.

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
    with closing(parts(stack, predictor, indices, zoom)) as found:
        yield from _stained(stack, found, zoom, len(indices), blank)
    if blank and len(blank) == len(indices):
        raise no_contrast(stack, blank)
    if blank:
        yield Notice(message=about_empty(stack, blank))


def _stained(stack: Stack, found: Iterator[Part], zoom: float, total: int, blank: list[PlaneIndex]) -> Iterator[Event]:
    """Turn tiles into events; planes without contrast are noted in `blank`."""
    done, whole = 0, (slice(0, stack.plane_shape[0]), slice(0, stack.plane_shape[1]))
    for batch, part in found:
        if isinstance(part, Notice):
            yield part
            continue
        if part is not None:
            box, fraction = box_in_plane(part.core, zoom, stack.plane_shape), part.fraction * len(batch.indices)
            for index, values in zip(batch.visible[part.first :], part.values, strict=False):
                batch.stains[index].put(part.core, values)
                plane = stack.stained_index(index)
                yield TileDone(plane=plane, box=box, values=fitted(values, box), fraction=(done + fraction) / total)
            if part.fraction < 1:
                continue
        blank += batch.blank
        for index in batch.indices:
            done += 1
            values = fitted(batch.stains[index].values, whole)
            yield PlaneDone(plane=stack.stained_index(index), values=values, done=done, total=total)


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
