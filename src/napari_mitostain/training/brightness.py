"""Stains as bright as their targets: the TN loss hardly weighs background, and leaves stains too bright.

Two numbers mend that, gain and bias of the last layer's logits, fitted by least squares; which pixel is brighter than
which stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit

from napari_mitostain.events import Event, Measured
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.tiling import Box
from napari_mitostain.training.pair import Frame, Frames, Pair
from napari_mitostain.training.validation import spread

_STEP = 4
"""One row and one column of so many are looked at: neighbours say the same."""

_BOUNDS = (0.5, -3.0), (2.0, 3.0)
"""Of gain and bias: a generator that has learnt little yet is not turned into a constant."""


class BrightnessFit:
    """Makes the stains of generators as bright as the targets of pairs.

    Parameters
    ----------
    pairs : sequence of Pair
    side : int
        A square of each pair is looked at, somewhere in it, of this side in pixels or less.
    frames : Frames
    most : int, optional
        So many of the pairs are looked at, spread over them; all by default.
    """

    def __init__(self, pairs: Sequence[Pair], side: int, frames: Frames, most: int | None = None) -> None:
        self._pairs, self._side, self._frames = spread(pairs, most), side, frames

    @torch.no_grad()
    def fitted(self, generator: Network) -> Generator[Event, None, Network]:
        """Return a copy of a generator with gain and bias fitted; yield `Measured` after each pair."""
        result = copy.deepcopy(generator).eval()
        logits, targets = [], []
        for done, cut in enumerate(self._squares(result.stride), start=1):
            image = torch.from_numpy(np.ascontiguousarray(cut.brightfield)).to(result.head.weight.device)
            lit = result.head(result.from_level(0, image[None, None]))[0, 0]  # (1, 1, h, w) to (h, w)
            logits.append(lit[::_STEP, ::_STEP].double().cpu().numpy().ravel())
            targets.append(cut.target[::_STEP, ::_STEP].ravel())
            yield Measured(done=done, total=len(self._pairs))
        gain, bias = _fit(np.concatenate(logits), np.concatenate(targets))
        assert result.head.bias is not None
        result.head.weight *= gain
        result.head.bias *= gain
        result.head.bias += bias
        return result

    def _squares(self, stride: int) -> Iterator[Frame]:
        random = np.random.default_rng(0)
        for pair in self._pairs:
            frame = self._frames[pair]
            yield frame.cut(_square(frame.target.shape, self._side, stride, random))


def _square(shape: tuple[int, ...], most: int, stride: int, random: np.random.Generator) -> Box:
    sides = [min(most, length) // stride * stride for length in shape]
    first = [int(random.integers(length - side + 1)) for length, side in zip(shape, sides, strict=True)]
    return slice(first[0], first[0] + sides[0]), slice(first[1], first[1] + sides[1])


def _fit(logits: NDArray[np.float64], targets: NDArray[np.float32]) -> tuple[float, float]:
    """Return gain and bias of logits; those that leave them as they are, if they are no numbers."""
    if not np.isfinite(logits).all():
        return 1.0, 0.0

    def errors(line: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = expit(line[0] * logits + line[1]) - targets
        return found

    def slopes(line: NDArray[np.float64]) -> NDArray[np.float64]:
        light: NDArray[np.float64] = expit(line[0] * logits + line[1])
        return (light * (1 - light))[:, None] * np.stack([logits, np.ones_like(logits)], axis=1)  # (pixels, 2)

    gain, bias = least_squares(errors, (1.0, 0.0), slopes, _BOUNDS).x
    return float(gain), float(bias)
