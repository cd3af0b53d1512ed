"""Planes that a device stains together: read and scaled ahead, then begun tile by tile."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mitostain.events import Notice
from napari_mitostain.image import PlaneIndex, Stack, fill_non_finite
from napari_mitostain.model.device import Images, helping_threads, with_threads
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.prefetching import concurrently, one_behind, prefetched
from napari_mitostain.staining.messages import plane_name
from napari_mitostain.staining.resampling import resampled, resampled_shape
from napari_mitostain.staining.tiler import Mosaic, PlaneTiler, StainedTiles


@dataclass
class Batch:
    """Planes that are stained together.

    Attributes
    ----------
    indices : list of tuple of int
    filled : list of tuple of int
        Those in which pixels that are not finite were filled in.
    blank : list of tuple of int
        Those without contrast.
    scaled : Images
        (B, Y, X), the others, made ready for the generator.
    stains : dict
        From a plane to its stain (Y, X).
    """

    indices: list[PlaneIndex]
    filled: list[PlaneIndex]
    blank: list[PlaneIndex]
    scaled: Images
    stains: dict[PlaneIndex, Mosaic] = field(init=False)

    def __post_init__(self) -> None:
        self.stains = {index: Mosaic(tuple(self.scaled.shape[1:])) for index in self.indices}

    @property
    def visible(self) -> list[PlaneIndex]:
        """The planes that are stained."""
        return [index for index in self.indices if index not in self.blank]


Part = tuple[Batch, StainedTiles | Notice | None]
"""What became of a batch: a tile of it, a notice, or that there is nothing to stain."""


def parts(
    stack: Stack, predictor: Predictor, indices: Sequence[PlaneIndex], zoom: float
) -> Generator[Part, None, None]:
    """Read, scale and stain planes in their order, as suits the device.

    A GPU stains batches, while threads read and scale those that follow; the threads of a processor have a plane each,
    where several are small enough.
    """
    tiler, shape = PlaneTiler(predictor), resampled_shape(stack.plane_shape, zoom)
    together, threads = tiler.at_once(shape), torch.get_num_threads()
    a_pixel = stack.data.dtype.itemsize if zoom == 1 else np.dtype(np.float64).itemsize * (1 + zoom**2)
    bytes_each = math.prod(stack.plane_shape) * a_pixel
    helpers = 0 if len(indices) <= together else helping_threads(predictor.device, together * bytes_each)
    share = -(-threads // max(1, min(len(indices), predictor.planes_at_once(shape, bytes_each))))
    workers = threads // share

    def stained(some: Sequence[PlaneIndex]) -> Iterator[Part]:
        return begun(stack, scaled_batches(stack, predictor, tiler, some, zoom, 0), tiler)

    def alone(index: PlaneIndex) -> list[Part]:
        return list(stained([index]))

    if helpers:
        with closing(prefetched(scaled_batches(stack, predictor, tiler, indices, zoom, helpers))) as ahead:
            yield from one_behind(begun(stack, ahead, tiler))
    elif workers > 1:
        with closing(concurrently(with_threads(alone, share), indices, workers)) as done:
            yield from chain.from_iterable(done)
    else:
        yield from stained(indices)


def scaled_batches(
    stack: Stack, predictor: Predictor, tiler: PlaneTiler, indices: Sequence[PlaneIndex], zoom: float, helpers: int
) -> Iterator[Batch]:
    """Read and scale planes, as many at once as suits the device."""

    def groups() -> Iterator[list[PlaneIndex]]:
        shape, left = resampled_shape(stack.plane_shape, zoom), iter(indices)
        while some := list(islice(left, tiler.at_once(shape))):
            yield some

    def usable(some: list[PlaneIndex]) -> tuple[list[PlaneIndex], list[PlaneIndex], list[NDArray[Any]]]:
        read = [stack.read(index) for index in some]
        images = [fill_non_finite(image) for image in read]
        filled = [index for index, image, other in zip(some, read, images, strict=True) if image is not other]
        return some, filled, [resampled(image, zoom) for image in images]

    with closing(concurrently(usable, groups(), helpers)) as made:
        for some, filled, images in made:
            scaled, is_blank = predictor.scaler.planes(images)
            blank = [index for index, is_empty in zip(some, is_blank, strict=True) if is_empty]
            yield Batch(some, filled, blank, scaled)


def begun(stack: Stack, batches: Iterator[Batch], tiler: PlaneTiler) -> Iterator[Part]:
    """Begin with tile after tile of batch after batch; one that is all blank gives None."""
    for batch in batches:
        for index in batch.filled:
            name = plane_name(stack, index)
            yield batch, Notice(message=f"{name} has pixels that are not finite, their median stands in.")
        if not len(batch.scaled):
            yield batch, None
        for part in tiler.run(batch.scaled):
            yield batch, part
