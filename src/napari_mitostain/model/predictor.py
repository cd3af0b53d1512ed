"""A generator made ready to stain windows on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.device import choose_device, choose_dtype
from napari_mitostain.model.loading import Model
from napari_mitostain.model.strips import stain_in_strips

_TILE = {"cpu": 1024, "mps": 1024, "cuda": 2048}
"""Side of a core by device: large ones waste less on halos. The memory they take stays below 1 GB, except in
float32 on CUDA, where the window of 2272 pixels takes about 1.65 GB."""


class Predictor:
    """Stains one window after another.

    Parameters
    ----------
    model : Model
    settings : StainSettings
        Gives device, precision and tile.

    Attributes
    ----------
    model : Model
    tile : int
        Side of a core in pixels.
    device : torch.device
    dtype : torch.dtype
    network : Generator
        As it is on the device: (B, 1, H, W) of `dtype` in channels-last layout to float32 of the same shape.
    """

    def __init__(self, model: Model, settings: StainSettings) -> None:
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(settings.precision, self.device)
        self.tile = settings.tile if settings.tile is not None else _TILE[self.device.type]
        self.model = model
        try:
            self.network = model.prepared(self.device, self.dtype)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]  # torch adds lines of advice to programmers
            raise DeviceError(
                f"Expected {self.device} to take the model, got {reason}; choose another device."
            ) from error

    @torch.inference_mode()
    def __call__(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Stain a window of scaled brightfield (h, w), both multiples of the stride; values in [0, 1]."""
        image = torch.from_numpy(np.ascontiguousarray(window, np.float32))[None, None]  # (1, 1, h, w)
        image = image.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        stain = stain_in_strips(self.network, image) if self.device.type == "cpu" else self.network(image)
        result: NDArray[np.float32] = stain[0, 0].cpu().numpy()  # (h, w)
        return result

    def release_memory(self) -> None:
        """Give memory that the device holds in reserve back to it."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
