"""A generator made ready to stain windows on a device."""

from __future__ import annotations

from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.device import (
    Images,
    choose_device,
    choose_stain_dtype,
    free_memory,
    release_memory,
    streams_of,
)
from napari_mitostain.model.device_scaling import memory_of
from napari_mitostain.model.download import Download, Fetched, Here
from napari_mitostain.model.loading import Model
from napari_mitostain.model.scaler import PLANES_WAITING, Scaler
from napari_mitostain.model.strips import stain_in_strips
from napari_mitostain.tiling import Plan, pad, plan_tiles

_TILE, _LARGE_TILE = 1024, 4096
"""Side of a core: of a large one a tenth is halo, of a small one two fifths. The small one takes less than 1 GB; the
large one, for GPUs, 2.5 GB in float16."""

_WHOLE = 6_000_000
"""Pixels of a plane that a processor with bfloat16 stains in one piece, in less than a second and a gigabyte: cut into
tiles, the planes of usual cameras would take a tenth to a third more time."""

_TOGETHER = 2048**2
"""Pixels of small planes that are stained together: more are no faster, and leave nothing to do at the same time."""

_MEMORY_HERE = 2**29
"""Bytes that planes may take together which the threads of a processor stain at the same time."""

_NUMBERS = 6
"""That a pixel of a window takes for each base channel while it passes through a whole network; 5 were measured."""

_COARSE = {torch.float16: 2.0**7, torch.bfloat16: 2.0**11}
"""Numbers next to which float32 has steps of 2⁻¹⁶ and 2⁻¹², which stains are rounded to: less than their error, and
what is left of a number is stored in less room and time."""

_FOR_SCALING = 1 / 8
"""Part of a GPU's memory for planes that are scaled there while others are stained."""


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
    scaler : Scaler
        Makes brightfield ready for it.
    network : Generator
        As torch runs it on the device: (B, 1, H, W) of `dtype` in channels-last layout to float32 of the same shape.
    """

    def __init__(self, model: Model, settings: StainSettings) -> None:
        self.device = choose_device(settings.device)
        self.dtype = choose_stain_dtype(settings.precision, self.device)
        self.model = model
        self.tile = self._best_tile() if settings.tile is None else settings.tile
        self._is_exact = settings.tile is not None
        self.room, for_scaling = 0, 0.0
        if self.device.type != "cpu":
            for_scaling = self._fit_into(settings.gpu_memory_gb)
        is_openvino_s = settings.backend == "openvino" and self.device.type == "cpu"
        self._openvino = model.by_openvino(self.dtype) if is_openvino_s else None
        try:
            self.network = model.prepared(self.device, self.dtype)
            self.scaler = Scaler(model.card.scaling, self.device, for_scaling)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]  # torch adds lines of advice to programmers
            raise DeviceError(
                f"Expected {self.device} to take the model, got {reason}; choose another device."
            ) from error

    def _best_tile(self) -> int:
        return _LARGE_TILE if self.device.type == "cuda" else _TILE

    def _fit_into(self, memory_gb: float | None) -> float:
        """Choose tile and room for so much memory, and return the part of it that is for scaling."""
        stride = self.model.geometry.stride
        halos = 2 * self.model.geometry.margin
        largest = (max(self.tile, _LARGE_TILE) + halos) ** 2
        memory = free_memory(self.device) / 2 if memory_gb is None else memory_gb * 1e9
        for_scaling = memory * _FOR_SCALING
        window = int(min(largest, memory * (1 - _FOR_SCALING) / self._bytes_a_pixel))
        self.tile = min(self.tile, max(stride, (isqrt(window) - halos) // stride * stride))
        self.room = int(min(_TOGETHER, window, for_scaling / memory_of(1, PLANES_WAITING)))
        return for_scaling

    def plan(self, shape: tuple[int, ...]) -> Plan:
        """Return how a plane of a shape is best cut."""
        height, width = shape
        return plan_tiles((height, width), self.tile_for((height, width)), self.model.geometry)

    def tile_for(self, shape: tuple[int, int]) -> int:
        """Return the side of the cores that a plane is cut into, if it is; a tile of the settings is that of all."""
        if self._is_exact:
            return self.tile
        window = (self.tile + 2 * self.model.geometry.margin) ** 2
        is_quick = self.device.type == "cpu" and self.dtype == torch.bfloat16 and self._openvino is None
        most = max(window, _WHOLE) if is_quick else window
        return max(self.tile, *shape) if shape[0] * shape[1] <= most else self.tile

    def planes_at_once(self, shape: tuple[int, int], bytes_each: float = 0) -> int:
        """Return how many planes of a shape, each read as so many bytes, threads are best given at a time.

        Threads that share a plane wait for the slowest of them after every layer, so they have one each, as far as
        memory goes. OpenVINO shares a plane out better, a GPU has threads of its own, and planes that are cut come
        tile by tile.
        """
        if self.device.type != "cpu" or self._openvino is not None or self.tile_for(shape) < max(shape):
            return 1
        room = int(_MEMORY_HERE / (self._bytes_a_pixel * shape[0] * shape[1] + bytes_each))
        return max(1, min(torch.get_num_threads(), room))

    @property
    def _bytes_a_pixel(self) -> int:
        return _NUMBERS * self.model.generator.base_channels * self.dtype.itemsize

    def __call__(self, windows: Images) -> NDArray[np.float32]:
        """Stain scaled brightfield (h, w) or (B, h, w), h and w multiples of the stride; values in [0, 1]."""
        return self.fetched(self.stained(windows)).values()

    @torch.inference_mode()
    def stained(self, windows: Images) -> Images:
        """Begin to stain windows as a call does, and leave the stain where it is computed."""
        if self._openvino is not None:
            return self._rounded(torch.from_numpy(self._openvino(_separate(windows)))).numpy().reshape(windows.shape)
        image = self._on_device(windows)
        if self.device.type == "cpu":
            return self._rounded(stain_in_strips(self.network, image)).numpy().reshape(windows.shape)
        return self._rounded(self.network(image)).reshape(windows.shape)

    def _rounded(self, stain: Tensor) -> Tensor:
        """Round a stain in place to what its precision knows of it."""
        coarse = _COARSE.get(self.dtype)
        return stain if coarse is None else stain.add_(coarse).sub_(coarse)

    @torch.inference_mode()
    def fetched(self, stain: Images) -> Fetched:
        """Send for what `stained` gave, or for a part of it."""
        if isinstance(stain, Tensor):
            if (streams := streams_of(self.device)) is not None:
                return Download(stain, streams[1])
            stain = stain.cpu().numpy()
        return Here(stain, self.dtype != torch.float16 or bool(np.isfinite(stain).all()))  # others hold any network's

    @torch.inference_mode()
    def padded(self, planes: Images, more: tuple[int, int]) -> Images:
        """Continue planes as `tiling.pad` does, without a wait for a GPU."""
        if not isinstance(planes, Tensor):
            return pad(planes, more)
        whole = _used_here(planes)
        for axis, pixels in zip((-2, -1), more, strict=True):
            if pixels:
                last = whole.shape[axis] - 1
                seen = torch.arange(last + 1 + pixels, device=whole.device) % max(1, 2 * last)
                whole = whole.index_select(axis, torch.minimum(seen, 2 * last - seen))
        return whole

    def _on_device(self, windows: Images) -> Tensor:
        """Bring windows to the device, its type and layout: (B, 1, h, w)."""
        if isinstance(windows, Tensor):
            image = _used_here(windows).reshape(-1, 1, *windows.shape[-2:])
        else:
            image = torch.from_numpy(_separate(windows))
            if self.device.type == "cuda":  # from such memory a GPU fetches by itself, in half the time
                image = image.pin_memory()
            image = image.to(self.device, non_blocking=True)
        return image.to(self.dtype).contiguous(memory_format=torch.channels_last)

    def release_memory(self) -> None:
        """Give memory that the device holds in reserve back to it."""
        release_memory(self.device)


def _used_here(images: Tensor) -> Tensor:
    """Keep the stream that images were made on from using their memory anew before this one is done with them."""
    if images.is_cuda:
        images.record_stream(torch.cuda.current_stream(images.device))
    return images


def _separate(windows: Images) -> NDArray[np.float32]:
    """Return windows as (B, 1, h, w)."""
    return np.ascontiguousarray(windows, np.float32).reshape(-1, 1, *windows.shape[-2:])
