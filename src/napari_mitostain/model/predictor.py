"""A generator made ready to stain windows on a device."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.device import choose_device, choose_dtype, free_memory
from napari_mitostain.model.loading import Model
from napari_mitostain.model.strips import stain_in_strips

_TILE, _LARGE_TILE = 1024, 2048
"""Side of a core: of a large one a fifth is halo, of a small one two fifths. The small one takes less than 1 GB; the
large one, for GPUs, about 1.65 GB in float32."""

_NUMBERS = 6
"""That a pixel of a window takes for each base channel while it passes through a whole network; 5 were measured."""


class Predictor:
    """Stains one window, or batch of windows, after another.

    Parameters
    ----------
    model : Model
    settings : StainSettings
        Gives device, precision, tile, the memory of a GPU, and what runs the network on a processor.

    Attributes
    ----------
    model : Model
    tile : int
        Side of a core in pixels.
    room : int
        Pixels that the windows of a batch may have together; 0 where one window after another is as fast.
    device : torch.device
    dtype : torch.dtype
    network : Generator
        As torch runs it on the device: (B, 1, H, W) of `dtype` in channels-last layout to float32 of the same shape.
    """

    def __init__(self, model: Model, settings: StainSettings) -> None:
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(settings.precision, self.device)
        self.model = model
        self.tile = self._best_tile() if settings.tile is None else settings.tile
        self.room = 0
        if self.device.type != "cpu":
            self._fit_into(settings.gpu_memory_gb)
        is_openvino_s = settings.backend == "openvino" and self.device.type == "cpu"
        self._openvino = model.by_openvino(self.dtype) if is_openvino_s else None
        try:
            self.network = model.prepared(self.device, self.dtype)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]  # torch adds lines of advice to programmers
            raise DeviceError(
                f"Expected {self.device} to take the model, got {reason}; choose another device."
            ) from error

    def _best_tile(self) -> int:
        return _LARGE_TILE if self.device.type == "cuda" else _TILE

    def _fit_into(self, memory_gb: float | None) -> None:
        """Choose tile and room for so much memory; a batch has no more pixels than the largest window."""
        stride = self.model.geometry.stride
        halos = 2 * self.model.geometry.margin
        largest = (max(self.tile, _LARGE_TILE) + halos) ** 2
        memory = free_memory(self.device) / 2 if memory_gb is None else memory_gb * 1e9
        a_pixel = _NUMBERS * self.model.generator.base_channels * self.dtype.itemsize
        self.room = int(min(largest, memory / a_pixel))
        self.tile = min(self.tile, max(stride, (isqrt(self.room) - halos) // stride * stride))

    @torch.inference_mode()
    def __call__(self, windows: NDArray[Any]) -> NDArray[np.float32]:
        """Stain scaled brightfield (h, w) or (B, h, w), h and w multiples of the stride; values in [0, 1]."""
        images = np.ascontiguousarray(windows, np.float32).reshape(-1, 1, *windows.shape[-2:])
        if self._openvino is not None:
            return self._openvino(images).reshape(windows.shape)
        image = self._on_device(images)
        stain = stain_in_strips(self.network, image) if self.device.type == "cpu" else self.network(image)
        result: NDArray[np.float32] = stain.cpu().numpy()  # (B, 1, h, w)
        return result.reshape(windows.shape)

    def _on_device(self, windows: NDArray[np.float32]) -> torch.Tensor:
        """Bring windows (B, 1, h, w) to the device, its type and layout."""
        image = torch.from_numpy(windows)
        if self.device.type == "cuda":  # from such memory a GPU fetches by itself, in half the time
            image = image.pin_memory()
        image = image.to(self.device, non_blocking=True)
        return image.to(self.dtype).contiguous(memory_format=torch.channels_last)

    def release_memory(self) -> None:
        """Give memory that the device holds in reserve back to it."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
