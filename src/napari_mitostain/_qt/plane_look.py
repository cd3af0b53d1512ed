"""What the weight widget's threads compute: a plane prepared once, and looked at again with every move of a slider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import downscale_local_mean

from napari_mitostain.config import WeightSettings
from napari_mitostain.image import IntensityRange, PlaneIndex, Stack, fill_non_finite, relative_stain
from napari_mitostain.weighting import (
    Histogram,
    LossView,
    PlaneView,
    Statistics,
    histogram,
    statistics,
    view_loss,
    view_plane,
)

_RELIEF = 192
"""Points of a relief along its longer side: finer ones only cost time to turn."""


@dataclass(frozen=True)
class Prepared:
    """A plane that was read, with what no coefficient changes."""

    index: PlaneIndex
    image: NDArray[Any]
    measured: Statistics
    histogram: Histogram


@dataclass(frozen=True)
class Request:
    """A look at one plane.

    Attributes
    ----------
    stack : Stack
    index : tuple of int
        Of the plane.
    settings : WeightSettings
    patch : int
        Side of a patch in pixels, for scope "patch".
    at : tuple of int
        Row and column in the middle of the view.
    whole : Statistics, optional
        Of the stack, for scope "stack".
    known : Prepared, optional
        From an earlier look; used if it is of the same plane.
    """

    stack: Stack
    index: PlaneIndex
    settings: WeightSettings
    patch: int
    at: tuple[int, int]
    whole: Statistics | None = None
    known: Prepared | None = None


@dataclass(frozen=True)
class Look:
    """The answer to a request."""

    request: Request
    prepared: Prepared
    view: PlaneView


def look(request: Request) -> Look:
    """Read the plane if need be, and weigh it."""
    known = request.known
    prepared = known if known is not None and known.index == request.index else _prepare(request)
    measured = request.whole if request.settings.scope == "stack" else prepared.measured
    view = view_plane(prepared.image, request.settings, measured, request.patch, request.at)
    return Look(request, prepared, view)


@dataclass(frozen=True)
class Relief:
    """A plane at so many points as are worth turning in 3-D.

    Attributes
    ----------
    values : ndarray of float32
        Means of squares of pixels (Y, X).
    step : int
        Side of these squares.
    """

    values: NDArray[np.float32]
    step: int

    @classmethod
    def of(cls, plane: NDArray[np.float32]) -> Relief:
        """Reduce a plane."""
        step = max(1, -(-max(plane.shape) // _RELIEF))
        means = downscale_local_mean(plane, (step, step))  # type: ignore[no-untyped-call]
        return cls(means.astype(np.float32), step)


@dataclass(frozen=True)
class LossLook:
    """The loss of a plane that was looked at, and its reliefs before and after weighting."""

    seen: Look
    loss: LossView
    reliefs: tuple[Relief, Relief]


def look_at_loss(seen: Look, stain: Stack, index: PlaneIndex) -> LossLook:
    """Compare a plane with a plane of its stain; the target is scaled as for training."""
    image = seen.prepared.image
    scaled = IntensityRange.fit(image).apply(fill_non_finite(image))
    target = np.where(np.isfinite(image), scaled, np.float32(np.nan))  # what is not known carries no loss
    loss = view_loss(target, relative_stain(stain.read(index), stain.name), seen.view)
    return LossLook(seen, loss, (Relief.of(loss.error), Relief.of(loss.weighted)))


def _prepare(request: Request) -> Prepared:
    image = request.stack.read(request.index).copy()  # the user may change a layer's pixels in place
    measured = statistics(image)
    return Prepared(request.index, image, measured, histogram(image, measured))
