"""Turn a patch by any angle, zoom and stretch it: cells lie in any direction, and have many sizes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator as Random
from numpy.typing import NDArray
from torch.nn import functional as F

_SHARE = 0.75
"""Part of the patches; the others keep the sharpness that interpolation takes."""

_ANGLE, _ZOOM, _STRETCH = np.pi / 4, 0.2, 0.08
"""At most: beyond lie quarter turns; logarithms of the zoom and of the stretch of one side beside the other."""


def warped(
    brightfield: NDArray[np.float32], target: NDArray[np.float32], random: Random
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Warp both images of a patch alike; what comes in from beyond a border is the mirrored patch.

    Parameters
    ----------
    brightfield, target : ndarray of float32
        Patch (Y, X); target pixels that are not finite stay so, and their neighbours become so.
    random : Generator
        Whose draws decide how.

    Returns
    -------
    tuple of ndarray of float32
        Of the same shape.
    """
    turn = _matrix(random)
    if random.random() >= _SHARE:
        return brightfield, target
    grid = F.affine_grid(turn, [1, 1, *brightfield.shape], align_corners=False)
    return _sampled(brightfield, grid, "bicubic"), _sampled(target, grid, "bilinear")  # which overshoots nowhere


def _matrix(random: Random) -> torch.Tensor:
    """Draw where each pixel is taken from, (1, 2, 3)."""
    angle, zoom, stretch = (random.uniform(-most, most) for most in (_ANGLE, _ZOOM, _STRETCH))
    cosine, sine = np.cos(angle), np.sin(angle)
    along, across = np.exp(zoom + stretch), np.exp(zoom - stretch)
    rows = [[along * cosine, -across * sine, 0], [along * sine, across * cosine, 0]]
    return torch.tensor([rows], dtype=torch.float32)


def _sampled(image: NDArray[np.float32], grid: torch.Tensor, how: str) -> NDArray[np.float32]:
    whole = torch.from_numpy(np.ascontiguousarray(image))[None, None]  # (1, 1, Y, X)
    taken: NDArray[np.float32] = F.grid_sample(whole, grid, how, "reflection", align_corners=False)[0, 0].numpy()
    return taken
