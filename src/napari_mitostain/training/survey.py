"""What is measured of a pair before training: what its weights and crops are drawn by, and what may be wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import Scope, TrainSettings
from napari_mitostain.training.area import allowed_corners
from napari_mitostain.training.pair import Frame, Pair
from napari_mitostain.weighting import Statistics, merged, statistics

_LEAST_MAXIMUM = 250
"""A brightest pixel of an integer image below it is a dim image's, not that of a camera at its limit."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What was measured of one image of a pair, as it was recorded.

    Attributes
    ----------
    digest : bytes
        Of its size, type and pixels: the same for copies.
    is_constant, is_finite : bool
    saturated : float
        Part of the pixels that share the highest value, where that can be a camera's limit.
    """

    digest: bytes
    is_constant: bool
    is_finite: bool
    saturated: float


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What was measured of one pair.

    Attributes
    ----------
    target : Statistics
        Of its whole target.
    brightfield, fluorescence : ImageFacts
    has_crops : bool
        Whether it can be cut so that a patch holds enough mitochondria.
    """

    target: Statistics
    brightfield: ImageFacts
    fluorescence: ImageFacts
    has_crops: bool

    @property
    def is_finite(self) -> bool:
        """Whether all pixels of both images are."""
        return self.brightfield.is_finite and self.fluorescence.is_finite


def facts_of(planes: tuple[NDArray[Any], NDArray[Any]], frame: Frame, settings: TrainSettings) -> PairFacts:
    """Measure a pair that has just been read.

    Parameters
    ----------
    planes : tuple of ndarray
        Brightfield and fluorescence as they were recorded.
    frame : Frame
        Made of them.
    settings : TrainSettings
        Gives the patch and its least area of mitochondria.
    """
    brightfield, fluorescence = map(image_facts, planes)
    return PairFacts(statistics(frame.target), brightfield, fluorescence, has_crops(frame, settings))


def has_crops(frame: Frame, settings: TrainSettings) -> bool:
    """Tell whether a frame can be cut so that a patch holds enough mitochondria."""
    if min(frame.target.shape) < settings.patch:
        return False
    return bool(allowed_corners(frame, settings.patch, settings.minimum_area).any())


def image_facts(image: NDArray[Any]) -> ImageFacts:
    """Measure one image as it was recorded."""
    finite = image if image.dtype.kind != "f" else image[np.isfinite(image)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    limited = high >= _LEAST_MAXIMUM or image.dtype.kind == "f"
    digest = hashlib.blake2b(f"{image.dtype} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return ImageFacts(
        digest.digest(),
        is_constant=bool(low == high),
        is_finite=finite.size == image.size,
        saturated=float((finite == high).mean()) if limited and low < high else 0.0,
    )


def measured_pairs(pairs: Sequence[Pair], facts: Sequence[PairFacts], scope: Scope) -> list[Pair]:
    """Give each pair the statistics that its weights are to use.

    Parameters
    ----------
    pairs : sequence of Pair
    facts : sequence of PairFacts
    scope : {"patch", "plane", "stack"}
        "plane" measures each target, "stack" all targets of an acquisition; "patch" is measured patch by patch, later.
    """
    if scope == "patch":
        return [replace(pair, measured=None) for pair in pairs]
    own = [fact.target for fact in facts]
    if scope == "stack":
        together = {
            name: merged([one for one, pair in zip(own, pairs, strict=True) if pair.acquisition == name])
            for name in {pair.acquisition for pair in pairs}
        }
        own = [together[pair.acquisition] for pair in pairs]
    return [replace(pair, measured=measured) for pair, measured in zip(pairs, own, strict=True)]
