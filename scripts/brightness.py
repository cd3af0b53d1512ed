"""Make stains as bright as what their generator learnt from: the TN loss, which hardly weighs background, does not."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from napari_mitostain.config import StainSettings
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import plan_tiles, stitched
from napari_mitostain.training.pair import Pair

_STEP = 4
"""One row and column of so many is looked at: neighbours say the same."""

_EDGE = 1e-6
"""How near stains come to 0 and 1 before their logits are taken."""


def as_bright_as(pairs: Iterable[Pair], model: Model) -> Model:
    """Return a model whose stains are, in least squares, as bright as the targets of pairs.

    Gain and bias of the logits change, two numbers of the last layer; which pixel is brighter than which does not.

    Parameters
    ----------
    pairs : iterable of Pair
    model : Model
        Left as it is.
    """
    predictor = Predictor(model, StainSettings("cpu", "float32"))
    stains, targets = [], []
    for frame in (pair.read() for pair in pairs):
        plan = plan_tiles(frame.target.shape, predictor.tile, model.geometry)
        stains.append(stitched(frame.brightfield, plan, predictor)[::_STEP, ::_STEP].ravel())
        targets.append(frame.target[::_STEP, ::_STEP].ravel())
    gain, bias = _fit(np.concatenate(stains), np.concatenate(targets))
    generator = deepcopy(model.generator)
    assert generator.head.bias is not None
    with torch.no_grad():
        generator.head.weight *= gain
        generator.head.bias *= gain
        generator.head.bias += bias
    return Model(model.card, generator)


def _fit(stains: NDArray[np.float32], targets: NDArray[np.float32]) -> tuple[float, float]:
    logits = logit(stains.astype(np.float64).clip(_EDGE, 1 - _EDGE))

    def error(line: NDArray[np.float64]) -> float:
        return float(np.mean((expit(line[0] * logits + line[1]) - targets) ** 2))

    gain, bias = minimize(error, (1.0, 0.0), method="Nelder-Mead").x
    return float(gain), float(bias)
