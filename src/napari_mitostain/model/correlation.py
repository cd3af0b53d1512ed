"""The correlation loss: how far a stain is from correlating with its target, as a whole and in its detail."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from napari_mitostain.scoring import DETAIL_SIGMA_PX

_FLAT = 0.01
"""Standard deviation, of the range, of a target that shows nothing to correlate with, as where there is no cell."""

_APART = 0.1
"""Mean difference from a flat target, of the range, that counts as much as no correlation at all with another."""


def correlation_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Two minus Pearson and detail Pearson of each sample, ``(1 - r) + (1 - r_detail)``, on average.

    What `napari_mitostain.scoring.score` calls ``pearson`` and ``detail_pearson``, by operations on tensors. It is
    blind to brightness, and stands beside a loss that is not. A flat target has nothing to correlate with: there the
    mean difference from it counts, ten times, so that fields without a cell are to be left dark.

    Parameters
    ----------
    prediction, target : Tensor
        Stain and fluorescence (B, 1, H, W) in [0, 1]; where a target pixel is not finite the stain counts as right.

    Returns
    -------
    Tensor
        Scalar of float32, in [0, 4] unless targets are flat.

    Examples
    --------
    >>> target = torch.rand(2, 1, 32, 32)
    >>> round(float(correlation_loss(0.2 + 0.5 * target, target)), 3)
    0.0
    """
    with torch.autocast(prediction.device.type, enabled=False):  # bfloat16 is too coarse for small differences
        stain = prediction.float()
        truth = torch.where(torch.isfinite(target), target.float(), stain.detach())
        return _distance(stain, truth) + _distance(_detail(stain), _detail(truth))


def _distance(stain: Tensor, truth: Tensor) -> Tensor:
    """Return how far each sample of (B, 1, H, W) is from correlating, on average; from a flat truth, how far it is."""
    stain, truth = (image.flatten(1) for image in (stain, truth))  # (B, H·W)
    apart = (stain - truth).abs().mean(1) / _APART  # (B,)
    stain, truth = (image - image.mean(1, keepdim=True) for image in (stain, truth))
    power = truth.square().mean(1)  # (B,)
    correlation = (stain * truth).mean(1) / (stain.square().mean(1) * power + _FLAT**4).sqrt()
    return torch.where(power > _FLAT**2, 1 - correlation, apart).mean()


def _detail(image: Tensor) -> Tensor:
    """Remove everything smoother than detail from (B, 1, H, W)."""
    down, across = (_smoothing(side, image.device) for side in image.shape[-2:])  # (H, H), (W, W)
    return image - down @ image @ across.T


@cache  # for each size of patches; a step that a GPU has recorded goes on reading it
def _smoothing(side: int, device: torch.device) -> Tensor:
    """Return the matrix (side, side) of the Gaussian that the score removes, its borders included."""
    return torch.from_numpy(gaussian_filter1d(np.eye(side, dtype=np.float32), DETAIL_SIGMA_PX, axis=0)).to(device)
