"""How far a mean of scores could lie from what it would be on other frames of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DRAWS = 4000


def bootstrap_interval(frames: Sequence[Sequence[float]], level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean over all crops, drawing whole frames.

    Crops of one frame are alike, so drawn one by one they would make the interval too narrow.

    Parameters
    ----------
    frames : sequence of sequence of float
        The scores of the crops of each frame; none of the frames is empty.
    level : float
        Part of the means that lie within the interval, 0 to 1.
    seed : int
        Of the draws.

    Returns
    -------
    tuple of float
        The lower and the upper end; twice the same of a single frame, which tells nothing.

    Raises
    ------
    ValueError
        If there is no frame.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if not frames:
        raise ValueError("Expected the scores of at least one frame, got none; score something first.")
    sums = np.array([sum(scores) for scores in frames])
    counts = np.array([len(scores) for scores in frames])
    drawn = np.random.default_rng(seed).integers(len(frames), size=(_DRAWS, len(frames)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)  # (draws,)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
