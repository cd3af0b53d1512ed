"""Resample planes to the model's pixel size, and stains back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from skimage.transform import resize

from napari_mitostain.tiling import Box

Shape = tuple[int, int]


def resampled_shape(shape: Shape, zoom: float) -> Shape:
    """Return the height and width of a plane that is brought to another pixel size."""
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


def source_of(box: Box, shape: Shape, source: Shape) -> Box:
    """Return the part of a source that a box of its resized image of a shape depends on."""
    rows, columns = (
        slice(
            max(0, int(side.start * ratio) - reach),
            min(length, int(side.stop * ratio) + reach + 1),
        )
        for side, length, ratio in zip(box, source, _ratios(source, shape), strict=True)
        for reach in [int(4 * _smoothing(ratio) + 0.5) + 2]  # how far scipy draws a Gaussian, and the neighbours
    )
    return rows, columns


def resized_part(part: NDArray[Any], seen: Box, source: Shape, box: Box, shape: Shape) -> NDArray[Any]:
    """Return a box of a resized image, from a part of its source: what resizing the whole would give there.

    Parameters
    ----------
    part : ndarray
        (Y, X), of floats.
    seen : tuple of slice
        Where it lies in the source: no less than `source_of` the box.
    source : tuple of int
        Height and width of the whole source.
    box : tuple of slice
        Rows and columns of the resized image.
    shape : tuple of int
        Height and width of the whole resized image.
    """
    ratios = _ratios(source, shape)
    smooth = gaussian_filter(part, [_smoothing(ratio) for ratio in ratios], mode="mirror")
    starts = [(side.start + 0.5) * ratio - 0.5 - of.start for side, of, ratio in zip(box, seen, ratios, strict=True)]
    size = tuple(side.stop - side.start for side in box)
    result: NDArray[Any] = affine_transform(smooth, ratios, starts, size, order=1, mode="mirror")
    return result


def _ratios(source: Shape, shape: Shape) -> list[float]:
    return [one / other for one, other in zip(source, shape, strict=True)]


def _smoothing(ratio: float) -> float:
    """Return the standard deviation, in pixels of the source, of the Gaussian that `resize` makes smaller with."""
    return max(0.0, (ratio - 1) / 2)


def box_in_plane(core: Box, zoom: float, shape: tuple[int, ...]) -> Box:
    """Rows and columns of the plane that a core of the resampled plane covers."""
    starts = [min(round(side.start / zoom), length - 1) for side, length in zip(core, shape, strict=True)]
    rows, columns = (
        slice(start, max(start + 1, min(round(side.stop / zoom), length)))  # at least a pixel, however small the core
        for start, side, length in zip(starts, core, shape, strict=True)
    )
    return rows, columns
