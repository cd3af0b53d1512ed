"""How close a stain comes to the fluorescence image of the same place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_mitostain.errors import ImageError

DETAIL_SIGMA_PX = 12.0
"""Structures smoother than this standard deviation do not count as detail."""

_SSIM_WINDOW = 7


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one plane.

    Attributes
    ----------
    ssim, psnr : float
        Structural similarity (7×7 uniform window) and peak signal-to-noise ratio (dB) on 8-bit data.
    pearson, detail_pearson : float
        Correlation of all pixels, and of what is left after removing everything smoother than 12 px; 0 if constant.
    """

    ssim: float
    psnr: float
    pearson: float
    detail_pearson: float

    def to_dict(self) -> dict[str, float]:
        """Return the scores by name."""
        return asdict(self)


def score(predicted: NDArray[Any], target: NDArray[Any]) -> Scores:
    """Compare two planes of relative intensity.

    Parameters
    ----------
    predicted, target : ndarray
        Planes (Y, X) with values in [0, 1]; at least 7×7.

    Returns
    -------
    Scores

    Raises
    ------
    ImageError
        If the shapes differ or are too small for SSIM.
    """
    if predicted.shape != target.shape:
        raise ImageError(
            f"Expected planes of one size, got {predicted.shape} predicted and {target.shape} target; "
            "compare the same field of view."
        )
    if min(target.shape) < _SSIM_WINDOW:
        raise ImageError(
            f"Expected at least {_SSIM_WINDOW}×{_SSIM_WINDOW} pixels to score, got {target.shape}; use a larger image."
        )
    stain, truth = _eight_bit(predicted), _eight_bit(target)
    with np.errstate(divide="ignore"):  # equal images have infinite PSNR
        psnr = float(peak_signal_noise_ratio(truth, stain, data_range=255))  # type: ignore[no-untyped-call]
    ssim = float(structural_similarity(truth, stain, data_range=255, win_size=_SSIM_WINDOW))  # type: ignore[no-untyped-call]
    return Scores(
        ssim=ssim,
        psnr=psnr,
        pearson=pearson(predicted, target),
        detail_pearson=pearson(_detail(predicted), _detail(target)),
    )


def mean_scores(scores: list[Scores]) -> Scores:
    """Average the scores of several planes."""
    rows = np.array([list(asdict(one).values()) for one in scores])
    return Scores(*(float(value) for value in rows.mean(axis=0)))


def pearson(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the Pearson correlation of two images, 0 if either is constant."""
    a, b = (image.astype(np.float64) - image.mean(dtype=np.float64) for image in (first, second))
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / norm) if norm > 1e-9 * a.size else 0.0


def _eight_bit(image: NDArray[Any]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    return levels


def _detail(image: NDArray[Any]) -> NDArray[np.float64]:
    plane = image.astype(np.float64)
    return plane - gaussian_filter(plane, DETAIL_SIGMA_PX)
