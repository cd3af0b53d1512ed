"""What staining is measured against: the network alone, MONAI's sliding window with it, and the memory."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import StainSettings
from napari_mitostain.model.generator import Generator, folded
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.model.unet import channels_last
from napari_mitostain.tiling import pad, plan_tiles, stitched

_WINDOW, _OVERLAP, _BATCH = 256, 0.25, 4
_COPIED = 2**26
"""Bytes of the copy that measures the memory: more than any cache holds."""


def plain_network(model: Model, device: torch.device, dtype: torch.dtype) -> Generator:
    """Return a model's network as a user of torch would make it ready: batch norms folded, channels last."""
    network = folded(model.generator).to(device, dtype)
    channels_last(network)
    return network


def bare_network(network: Generator, scaled: NDArray[np.float32], stride: int) -> Callable[[], object]:
    """Return one call of the network on the whole plane, padded to a multiple of the stride as need be."""
    height, width = scaled.shape
    image = _tensor(network, pad(scaled, (-height % stride, -width % stride)))

    def run() -> object:
        with torch.inference_mode():
            return network(image).cpu()

    return run


def monai_window(network: Generator, scaled: NDArray[np.float32]) -> Callable[[], Tensor] | None:
    """Return MONAI's sliding window over a plane, None if MONAI is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MONAI uses what torch has deprecated
            from monai.inferers.utils import sliding_window_inference
    except ImportError:
        return None
    image = _tensor(network, scaled)

    def run() -> Tensor:
        with torch.inference_mode():
            stain = sliding_window_inference(
                image, (_WINDOW, _WINDOW), _BATCH, network, overlap=_OVERLAP, mode="gaussian"
            )
        assert isinstance(stain, Tensor)
        return stain.cpu()

    return run


def seam_errors(model: Model, scaled: NDArray[np.float32]) -> dict[str, float]:
    """Return the largest differences from the stain of the whole plane, on the processor in float32.

    Parameters
    ----------
    model : Model
    scaled : ndarray of float32
        Scaled plane (Y, X).

    Returns
    -------
    dict
        "seam_error" of our tiles of MONAI's size and, with MONAI installed, "monai_seam_error".
    """
    predictor = Predictor(model, StainSettings("cpu", "float32"))
    whole = stitched(scaled, plan_tiles(scaled.shape, max(scaled.shape), model.geometry), predictor)
    tiled = stitched(scaled, plan_tiles(scaled.shape, _WINDOW, model.geometry), predictor)
    result = {"seam_error": float(np.abs(tiled - whole).max())}
    if (monai := monai_window(plain_network(model, predictor.device, predictor.dtype), scaled)) is not None:
        inside = tuple(slice(model.geometry.halo, -model.geometry.halo) for _ in scaled.shape)
        if (differences := np.abs(monai()[0, 0].numpy() - whole)[inside]).size:  # it ends differently at the border
            result["monai_seam_error"] = float(differences.max())
    return result


def bandwidth(repeats: int = 5) -> float:
    """Return the bytes a second that a copy reads and writes, the best of some."""
    source, target = (np.zeros(_COPIED, np.uint8) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - started)
    return 2 * _COPIED / best


def _tensor(network: Generator, scaled: NDArray[np.float32]) -> Tensor:
    """Bring a plane to the device, type and layout of a network: (1, 1, Y, X)."""
    weight: Any = network.head.weight
    image = torch.from_numpy(scaled)[None, None].to(weight.device, weight.dtype)
    return image.contiguous(memory_format=torch.channels_last)
