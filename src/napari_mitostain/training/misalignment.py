"""The part of the pair check that looks for fluorescence that is shifted against the brightfield."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Finding
from napari_mitostain.model.device import as_trained
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import stitched
from napari_mitostain.training.alignment import Peak, Surface, added, correlation, peak_of, texture
from napari_mitostain.training.pair import Box, Frame, Pair
from napari_mitostain.training.stacks import shared_boxes

_FRAMES = 16
"""Frames of an acquisition that are looked at, at most."""

_ALL_FRAMES = 128
"""Frames of all acquisitions together."""

_SIDE = 512
"""Of a frame only its busiest part of this side is looked at."""

_TOLERATED = 4
"""Pixels of a shift that is not worth mentioning: half a mitochondrion, and what the optics alone can cause."""

_PICTURED = 256
_SIZES_ALIKE = 1.5
"""Pixel sizes that differ by a larger factor leave the model's stain worth less than the brightfield's texture."""


@dataclass
class _Seen:
    """What was seen of an acquisition: the correlation of its frames, and the one that is shown, and with what."""

    surfaces: list[Surface] = field(default_factory=list)
    shown: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    busiest: float = -1.0
    is_stained: bool = False


class Misalignment:
    """Looks at some frames of each acquisition and says which are out of line.

    Parameters
    ----------
    pairs : sequence of Pair
        All of those that will be looked at.
    settings : TrainSettings
        Gives device and precision.
    model : Model, optional
        Whose stain is compared with the fluorescence; else the texture of the brightfield is.
    """

    def __init__(self, pairs: Sequence[Pair], settings: TrainSettings, model: Model | None) -> None:
        self._chosen = _chosen(pairs)
        self._seen: dict[str, _Seen] = {}
        self._settings, self._model = settings, model
        self._predictor: Predictor | None = None

    def look_at(self, pair: Pair, frame: Frame) -> None:
        """Take a frame into account, if it is one of those chosen."""
        if pair.name not in self._chosen:
            return
        part = frame.cut(_busiest(frame))
        lit = float((part.target >= frame.threshold).mean())
        if min(part.target.shape) < 2 * _TOLERATED * 8 or not part.brightfield.any() or not np.ptp(part.target):
            return
        is_stained = self._is_alike(pair)
        expected = self._stained(part) if is_stained else texture(part.brightfield)
        seen = self._seen.setdefault(pair.acquisition, _Seen())
        seen.surfaces.append(correlation(expected, part.target))
        if lit > seen.busiest:
            seen.busiest, seen.shown, seen.is_stained = lit, (expected, part.target), is_stained

    def findings(self) -> Iterator[Finding]:
        """Say which acquisitions are out of line, each with a picture and the shift that brings it back."""
        for name, peak in self._peaks().items():
            if _is_out_of_line(peak):
                yield self._finding(name, peak.shift)

    def _peaks(self) -> dict[str, Peak]:
        """Find the best shift of each acquisition; a microscope shifts them alike, so those unclear alone get help.

        A peak counts where an acquisition that is out of line has a clear one. All that are still unclear are taken
        together.
        """
        peaks = {name: peak_of(added(seen.surfaces)) for name, seen in self._seen.items()}
        clear = [peak for peak in peaks.values() if _is_out_of_line(peak)]
        for name, peak in peaks.items():
            peaks[name] = replace(peak, is_clear=peak.is_clear or any(_are_near(peak, other) for other in clear))
        unclear = [name for name, peak in peaks.items() if not peak.is_clear]
        if len(unclear) > 1:
            together = peak_of(added(surface for name in unclear for surface in self._seen[name].surfaces))
            peaks |= dict.fromkeys(unclear, together)
        return peaks

    def _finding(self, acquisition: str, shift: tuple[int, int]) -> Finding:
        seen = self._seen[acquisition]
        what = "the model's stain" if seen.is_stained else "the structure in the brightfield"
        return Finding(
            severity="warning",
            message=f"The fluorescence of {acquisition} lies beside {what}; shift it by {shift} (rows, columns).",
            acquisition=acquisition,
            shift=shift,
            picture=None if seen.shown is None else pictured(*seen.shown, shift),
        )

    def _is_alike(self, pair: Pair) -> bool:
        if self._model is None:
            return False
        own, known = pair.pixel_size or self._settings.pixel_size_um, self._model.card.pixel_size_um
        return own is None or known is None or 1 / _SIZES_ALIKE < own / known < _SIZES_ALIKE

    def _stained(self, frame: Frame) -> NDArray[np.float32]:
        assert self._model is not None
        if self._predictor is None:
            self._predictor = Predictor(self._model, as_trained(self._settings))
        plan = self._predictor.plan(frame.brightfield.shape)
        return stitched(frame.brightfield, plan, self._predictor)


def _is_out_of_line(peak: Peak) -> bool:
    return peak.is_clear and max(map(abs, peak.shift)) > _TOLERATED


def _are_near(peak: Peak, other: Peak) -> bool:
    return all(abs(a - b) <= _TOLERATED for a, b in zip(peak.shift, other.shift, strict=True))


def pictured(expected: NDArray[np.float32], target: NDArray[np.float32], shift: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw fluorescence in green over what it should lie on in magenta: as it is and, right of it, after the shift.

    Parameters
    ----------
    expected, target : ndarray of float32
        Planes (Y, X) of one size.
    shift : tuple of int
        Rows and columns that the target is moved by.

    Returns
    -------
    ndarray of uint8
        (Y, X, 3), with a white line between both.
    """
    fixed, moved = shared_boxes(expected.shape, shift)
    place = _centre(expected[fixed].shape)
    before = _overlay(expected[fixed][place], target[fixed][place])
    after = _overlay(expected[fixed][place], target[moved][place])
    return np.concatenate([before, np.full((len(before), 4, 3), 255, np.uint8), after], axis=1)


def _overlay(magenta: NDArray[np.float32], green: NDArray[np.float32]) -> NDArray[np.uint8]:
    red_and_blue, middle = _bright(magenta), _bright(green)
    return np.stack([red_and_blue, middle, red_and_blue], axis=-1)


def _bright(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(image, (5, 99.5))
    levels = (image - low) / max(float(high - low), 1e-6)
    return np.asarray(np.rint(255 * levels.clip(0, 1)), np.uint8)


def _centre(shape: tuple[int, ...]) -> Box:
    rows, columns = (
        slice(max(0, (length - _PICTURED) // 2), max(0, (length - _PICTURED) // 2) + _PICTURED) for length in shape
    )
    return rows, columns


def _chosen(pairs: Sequence[Pair]) -> set[str]:
    """Choose frames spread over each acquisition."""
    names: dict[str, list[str]] = {}
    for pair in pairs:
        names.setdefault(pair.acquisition, []).append(pair.name)
    most = max(1, min(_FRAMES, _ALL_FRAMES // max(1, len(names))))
    every = -(-len(names) // _ALL_FRAMES) or 1
    return {name for of_one in list(names.values())[::every] for name in of_one[:: -(-len(of_one) // most)]}


def _busiest(frame: Frame) -> Box:
    """Return the part with the most mitochondria, of those on a grid."""
    starts = [
        sorted({0, (length - _SIDE) // 2, length - _SIDE} if length > _SIDE else {0}) for length in frame.target.shape
    ]
    boxes = [(slice(row, row + _SIDE), slice(column, column + _SIDE)) for row in starts[0] for column in starts[1]]
    return max(boxes, key=lambda box: float((frame.target[box] >= frame.threshold).sum()))
