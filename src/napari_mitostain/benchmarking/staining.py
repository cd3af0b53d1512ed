"""Time staining end to end against the bare network and against MONAI's sliding window, in turn, in one run."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

from napari_mitostain.benchmarking.rounds import ratios, timed
from napari_mitostain.config import StainSettings
from napari_mitostain.errors import SettingsError
from napari_mitostain.image import scale_brightfield
from napari_mitostain.model.loading import load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining import stain_file


def benchmark_staining(size: int = 1024, repeats: int = 5, settings: StainSettings = StainSettings()) -> dict[str, Any]:
    """Compare staining a plane with running its network alone.

    Parameters
    ----------
    size : int
        Side of the plane in pixels, a multiple of the generator's stride.
    repeats : int
        Rounds; in each, every contestant runs once.
    settings : StainSettings

    Returns
    -------
    dict
        Median seconds, and the median over the rounds of the ratios "end_to_end_over_bare_network" (read, scale, tile,
        predict, stitch, write) and, with MONAI installed, "end_to_end_over_monai": 256-pixel windows, 25 % overlap,
        gaussian, the same network, without reading, scaling or writing.
    """
    model = load_model()
    stride = model.geometry.stride
    if size < stride or size % stride or repeats < 1:
        raise SettingsError(
            f"Expected a size of a multiple of {stride} pixels and at least one repeat, got {size} and {repeats}; "
            "try 1024 and 5."
        )
    predictor = Predictor(model, settings)
    plane = np.random.default_rng(0).integers(0, 255, (size, size), np.uint8)
    scaled = scale_brightfield(plane, model.card.scaling)
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "plane.tif", Path(folder) / "stain.ome.tif"
        tifffile.imwrite(source, plane)

        def end_to_end() -> None:
            for _ in stain_file(source, output, model, settings, overwrite=True):
                pass

        contestants: dict[str, Callable[[], object]] = {
            "end_to_end": end_to_end,
            "bare_network": _bare(predictor, scaled),
        }
        if (monai := _monai(predictor, scaled)) is not None:
            contestants["monai"] = monai
        rounds = timed(contestants, repeats)
    return ratios(rounds, "end_to_end") | {
        "size": size,
        "repeats": repeats,
        "device": str(predictor.device),
        "dtype": str(predictor.dtype).removeprefix("torch."),
    }


def _bare(predictor: Predictor, scaled: np.ndarray[Any, Any]) -> Callable[[], object]:
    """Return one call of the network on the whole plane, as a user of torch would write it."""
    image = torch.from_numpy(scaled)[None, None].to(predictor.device, predictor.dtype)  # (1, 1, Y, X)
    image = image.contiguous(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            return predictor.network(image).cpu()

    return run


def _monai(predictor: Predictor, scaled: np.ndarray[Any, Any]) -> Callable[[], object] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MONAI uses what torch has deprecated
            from monai.inferers.utils import sliding_window_inference
    except ImportError:
        return None
    image = torch.from_numpy(scaled)[None, None].to(predictor.device, predictor.dtype)  # (1, 1, Y, X)

    def run() -> object:
        with torch.inference_mode():
            stain = sliding_window_inference(image, (256, 256), 4, predictor.network, overlap=0.25, mode="gaussian")
        assert isinstance(stain, torch.Tensor)
        return stain.cpu()

    return run
