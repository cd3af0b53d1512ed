"""The formula of the TN weights, the same for arrays and for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.weighting.bands import Bands, bands
from napari_mitostain.weighting.statistics import Statistics, statistics


def tn_weights(
    image: NDArray[Any],
    settings: WeightSettings = WeightSettings(),
    measured: Statistics | None = None,
) -> NDArray[np.float32]:
    """Weigh each pixel of a target image by the band its intensity lies in.

    In band n, ``w = a_n (F - M_{n-1}) / (M_n - M_{n-1}) + b_n`` with M0 = min F, M1 = µ + σ, M2 = µ + 3σ,
    M3 = max F. The default coefficients give a continuous, monotone map into [0, 1].

    Parameters
    ----------
    image : ndarray
        Target intensities (fluorescence), any shape and real data type.
    settings : WeightSettings
        Coefficients and multiples of σ; the paper's by default.
    measured : Statistics, optional
        Statistics of a wider scope, such as the whole stack; by default those of `image`.

    Returns
    -------
    ndarray of float32
        Weights of the image's shape; 0 where the image is not finite, b1 everywhere if it is constant.

    References
    ----------
    Somani et al., "Digital staining of mitochondria in label-free live-cell microscopy", BVM 2021.

    Examples
    --------
    >>> import numpy as np
    >>> tn_weights(np.full((2, 2), 7)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    image = np.asarray(image)
    measured = statistics(image) if measured is None else measured
    finite = np.isfinite(image)
    above = np.where(finite, image, measured.minimum).astype(np.float64) - measured.minimum
    weights = weights_in_bands(above, _from_minimum(bands(measured, settings)), settings)
    return np.where(finite, weights, 0).astype(np.float32)


def weights_in_bands(image: Any, edges: Bands, settings: WeightSettings) -> Any:
    """Apply the formula; written in operators that arrays and tensors share.

    Parameters
    ----------
    image : ndarray or Tensor
        Finite floating-point intensities.
    edges : Bands
        In the units of `image`; tensors of shape ``(B, 1, 1, 1)`` give each sample of a batch its own.
    settings : WeightSettings

    Returns
    -------
    ndarray or Tensor
        Weights of the shape of `image`.
    """
    low, first, second, high = edges.edges
    above_first, above_second = image > first, image > second
    return (
        _band(image, low, first, settings.a[0], settings.b[0]) * ~above_first
        + _band(image, first, second, settings.a[1], settings.b[1]) * (above_first & ~above_second)
        + _band(image, second, high, settings.a[2], settings.b[2]) * above_second
    )


def _band(image: Any, low: Any, high: Any, a: float, b: float) -> Any:
    """One band's line, from b at its lower edge to a + b at its upper; b alone where the band is empty."""
    width = high - low
    filled = width > 0
    return (image - low) / (width * filled + (width <= 0)) * (a * filled) + b  # in this order no width is too small


def _from_minimum(edges: Bands) -> Bands:
    """Shift the edges so that the image's minimum is 0, which keeps float arithmetic exact under an offset."""
    low = edges.edges[0]
    return Bands(tuple(edge - low for edge in edges.edges))
