"""Where a frame can be cut so that a patch holds enough mitochondria."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.training.pair import Frame


def allowed_corners(frame: Frame, side: int, minimum_area: float) -> NDArray[np.bool_]:
    """Tell for every upper left corner whether the patch there holds enough mitochondria.

    Counts come from an integral image, so they are exact and take as long for large patches as for small ones.

    Parameters
    ----------
    frame : Frame
    side : int
        Of a patch in pixels, no longer than the frame's sides.
    minimum_area : float
        Least part of the patch's pixels that are as bright as the frame's threshold.

    Returns
    -------
    ndarray of bool
        (height - side + 1, width - side + 1); for a frame of the patch's own size, which is taken as it is, True.
    """
    if frame.target.shape == (side, side):
        return np.ones((1, 1), np.bool_)
    height, width = frame.target.shape
    sums = np.zeros((height + 1, width + 1), np.int32)
    np.cumsum(frame.target >= frame.threshold, axis=0, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    counts = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(counts / (side * side) >= minimum_area)
