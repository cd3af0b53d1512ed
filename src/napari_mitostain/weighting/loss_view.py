"""What the loss sees: the error of a stain before and after weighting (Somani et al., BVM 2021, Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.errors import ImageError
from napari_mitostain.weighting.plane_view import PlaneView
from napari_mitostain.weighting.shares import Shares, band_shares


@dataclass(frozen=True)
class LossView:
    """The loss of a stain, pixel by pixel and band by band.

    Attributes
    ----------
    target, stain : ndarray of float32
        Fluorescence and stain (Y, X) in [0, 1]; A and B of the paper's figure.
    error : ndarray of float32
        ``|target - stain|``, C.
    weights : ndarray of float32
        See `tn_weights`, D.
    weighted : ndarray of float32
        ``weights * error``, E.
    pixels, plain, weighed : tuple of float
        Parts of all pixels, of the plain L1 loss and of the TN loss that lie in bands 1 to 3.
    """

    target: NDArray[np.float32]
    stain: NDArray[np.float32]
    error: NDArray[np.float32]
    weights: NDArray[np.float32]
    weighted: NDArray[np.float32]
    pixels: Shares
    plain: Shares
    weighed: Shares

    @property
    def l1_loss(self) -> float:
        """Mean of the error over all pixels."""
        return float(self.error.mean(dtype=np.float64))

    @property
    def tn_loss(self) -> float:
        """Mean of the weighted error over all pixels."""
        return float(self.weighted.mean(dtype=np.float64))


def view_loss(target: NDArray[Any], stain: NDArray[Any], seen: PlaneView) -> LossView:
    """Compare a stain with its target as the TN loss does.

    Parameters
    ----------
    target, stain : ndarray
        Planes (Y, X) of one place, in [0, 1]; pixels of the target that are not finite carry no loss.
    seen : PlaneView
        Of the target, whose intensities may be in other units: it gives the weights.

    Returns
    -------
    LossView

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    if not target.shape == stain.shape == seen.weights.shape:
        raise ImageError(
            f"Expected a stain of the target's size, got {stain.shape} for {target.shape}; choose the same field."
        )
    finite = np.isfinite(target)
    error = np.where(finite, np.abs(target - stain), 0).astype(np.float32)
    weighted = seen.weights * error
    return LossView(
        np.where(finite, target, 0).astype(np.float32),
        stain.astype(np.float32),
        error,
        seen.weights,
        weighted,
        seen.pixels,
        band_shares(seen.numbers, error),
        band_shares(seen.numbers, weighted),
    )
