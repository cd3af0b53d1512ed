"""Resample planes to the model's pixel size, and stains back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from napari_mitostain.tiling import Box


def resampled_shape(shape: tuple[int, int], zoom: float) -> tuple[int, int]:
    """Return the shape of a plane once it is resampled."""
    return max(1, round(shape[0] * zoom)), max(1, round(shape[1] * zoom))


def resampled(image: NDArray[Any], zoom: float) -> NDArray[Any]:
    """Bring a plane (Y, X) to another pixel size; zoom is the model's pixels per pixel of the plane."""
    if zoom == 1:
        return image
    return _interpolated(image.astype(np.float64), resampled_shape((image.shape[0], image.shape[1]), zoom))


def fitted(values: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Bring a part of the resampled plane to the size of the box it covers in the plane itself."""
    shape = tuple(side.stop - side.start for side in box)
    return values if values.shape == shape else _interpolated(values, shape).clip(0, 1).astype(np.float32)


def _interpolated(image: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    smaller = shape[0] < image.shape[0] or shape[1] < image.shape[1]
    result: NDArray[Any] = resize(image, shape, order=1, anti_aliasing=smaller, preserve_range=True)  # type: ignore[no-untyped-call]
    return result


def box_in_plane(core: Box, zoom: float, shape: tuple[int, ...]) -> Box:
    """Rows and columns of the plane that a core of the resampled plane covers."""
    starts = [min(round(side.start / zoom), length - 1) for side, length in zip(core, shape, strict=True)]
    rows, columns = (
        slice(start, max(start + 1, min(round(side.stop / zoom), length)))  # at least a pixel, however small the core
        for start, side, length in zip(starts, core, shape, strict=True)
    )
    return rows, columns
