"""Aligned pairs of brightfield and fluorescence: found in a folder, checked, split into training and validation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import ScalingSettings, Scope, TrainSettings
from napari_mitostain.errors import FileError, ImageError, TrainingError
from napari_mitostain.image import IntensityRange, fill_non_finite, scale_brightfield, sides
from napari_mitostain.image.files import list_images, read_stack
from napari_mitostain.weighting import Statistics, merged, statistics

_POSITION = re.compile(r"(_t\d+)?(_z\d+)?(_\d+)?$", re.IGNORECASE)
"""What a file name says about time, depth and crop within its acquisition."""

_LISTED = 10
"""Pairs that are named in a message at most."""

_TIME_OR_DEPTH = re.compile(r"_[tz]\d+(_\d+)?\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """One plane of brightfield and the fluorescence of the same place.

    Attributes
    ----------
    name : str
    acquisition : str
        Pairs of one acquisition (field of view, file) never lie on both sides of a split.
    brightfield : ndarray of float32
        Scaled plane (Y, X).
    target : ndarray of float32
        Fluorescence (Y, X) in [0, 1].
    measured : Statistics, optional
        Of the target's plane or acquisition, where the weights are to take theirs from there.
    finite : bool
        Whether all pixels of both images were finite; if not, the median of the others stands in.
    """

    name: str
    acquisition: str
    brightfield: NDArray[np.float32]
    target: NDArray[np.float32]
    measured: Statistics | None = None
    finite: bool = True


def load_pairs(folder: Path, scaling: ScalingSettings = ScalingSettings()) -> list[Pair]:
    """Load the pairs of a folder with ``brightfield/`` and ``mitochondria/``, same file names in both.

    Parameters
    ----------
    folder : Path
        Stacks count plane by plane.
    scaling : ScalingSettings
        For the brightfield planes.

    Returns
    -------
    list of Pair

    Raises
    ------
    FileError
        If a folder or a partner is missing.
    ImageError
        If the partners differ in size.
    """
    names = [_names(folder / part) for part in ("brightfield", "mitochondria")]
    if alone := sorted(names[0] ^ names[1]):
        raise FileError(
            f"Expected the same file names in brightfield and mitochondria of {folder}, got {len(alone)} without "
            f"a partner ({alone[0]}, …); add or remove them."
        )
    files = sorted(names[0])
    acquisitions = acquisition_names(files)
    return [
        pair
        for name in files
        for pair in _load_file(
            folder / "brightfield" / name, folder / "mitochondria" / name, acquisitions[name], scaling
        )
    ]


def acquisition_names(files: Sequence[str]) -> dict[str, str]:
    """Map file names to acquisitions: the name without its time ``_t001``, depth ``_z005`` and crop number ``_10``.

    Where that leaves one acquisition for all files, and no name has a time or a depth, the numbers are taken to be
    fields of view, and each file is an acquisition of its own.
    """
    stems = {name: Path(name).stem.removesuffix(".ome") for name in files}
    shortened = {name: _POSITION.sub("", stem) for name, stem in stems.items()}
    numbered = len(set(shortened.values())) == 1 and not any(map(_TIME_OR_DEPTH.search, files))
    return stems if numbered else shortened


def measured_pairs(pairs: Sequence[Pair], scope: Scope) -> list[Pair]:
    """Give each pair the statistics that its weights are to use.

    Parameters
    ----------
    pairs : sequence of Pair
    scope : {"patch", "plane", "stack"}
        "plane" measures each target, "stack" all targets of an acquisition; "patch" is measured patch by patch, later.
    """
    if scope == "patch":
        return [replace(pair, measured=None) for pair in pairs]
    own = [statistics(pair.target) for pair in pairs]
    if scope == "stack":
        together = {
            name: merged([one for one, pair in zip(own, pairs, strict=True) if pair.acquisition == name])
            for name in {pair.acquisition for pair in pairs}
        }
        own = [together[pair.acquisition] for pair in pairs]
    return [replace(pair, measured=measured) for pair, measured in zip(pairs, own, strict=True)]


def flaws(pairs: Sequence[Pair]) -> list[str]:
    """Say which pairs there is little to learn from."""
    found = {
        "have pixels that are not finite, for which the median of the others stands in": [
            pair.name for pair in pairs if not pair.finite
        ],
        "have a constant brightfield, from which nothing can be learnt": [
            pair.name for pair in pairs if not pair.brightfield.any()
        ],
    }
    return [f"{len(names)} pair(s) {flaw}: {_listed(names)}." for flaw, names in found.items() if names]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def split_pairs(pairs: Sequence[Pair], settings: TrainSettings) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into training and validation.

    Parameters
    ----------
    pairs : sequence of Pair
    settings : TrainSettings
        "acquisition" leaves out whole acquisitions, those of `holdout` or a tenth (at least one of several); "patch"
        leaves out a fifth of the pairs, as the paper does, and leaks: pairs of one field lie on both sides.

    Raises
    ------
    TrainingError
        If an acquisition to hold out does not exist, or nothing is left to train on.
    """
    if settings.split == "patch":
        left_out = set(np.random.default_rng(settings.seed).permutation(len(pairs))[: len(pairs) // 5].tolist())
        validation = [number in left_out for number in range(len(pairs))]
    else:
        held = _held_out(sorted({pair.acquisition for pair in pairs}), settings)
        validation = [pair.acquisition in held for pair in pairs]
    training = [pair for pair, out in zip(pairs, validation, strict=True) if not out]
    if not training:
        raise TrainingError("Expected pairs left to train on, got all of them held out; hold out fewer acquisitions.")
    return training, [pair for pair, out in zip(pairs, validation, strict=True) if out]


def _held_out(acquisitions: list[str], settings: TrainSettings) -> set[str]:
    if settings.holdout is None:
        count = max(1, len(acquisitions) // 10) if len(acquisitions) > 1 else 0
        return set(np.random.default_rng(settings.seed).permutation(acquisitions)[:count].tolist())
    held = set()
    for wanted in settings.holdout:
        found = {name for name in acquisitions if name.endswith(wanted)}
        if not found:
            raise TrainingError(
                f"Expected an acquisition among {', '.join(acquisitions)}, got {wanted!r}; choose one of them."
            )
        held |= found
    return held


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise FileError(f"Expected a folder {folder}, got none; put the images of the pairs there.")
    return {path.name for path in list_images(folder)}


def _load_file(brightfield: Path, fluorescence: Path, acquisition: str, scaling: ScalingSettings) -> list[Pair]:
    inputs, targets = read_stack(brightfield), read_stack(fluorescence)
    if inputs.plane_shape != targets.plane_shape or len(inputs.planes()) != len(targets.planes()):
        raise ImageError(
            f"Expected pairs of one size, got {sides(inputs.shape)} for {brightfield} and {sides(targets.shape)} for "
            f"{fluorescence}; crop them to the same field."
        )
    planes = list(zip(inputs.planes(), targets.planes(), strict=True))
    images = targets.read_planes()
    intensities = IntensityRange.fit(images)
    pairs = []
    for (index, _), image in zip(planes, images, strict=True):
        plane = inputs.read(index)
        pairs.append(
            Pair(
                name=brightfield.name if len(planes) == 1 else f"{brightfield.name} {index}",
                acquisition=acquisition,
                brightfield=scale_brightfield(plane, scaling),
                target=intensities.apply(fill_non_finite(image)),
                finite=bool(np.isfinite(plane).all() and np.isfinite(image).all()),
            )
        )
    return pairs
