"""A generator made ready to stain windows on a device."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError
from napari_mitostain.image import PlaneContrast, scale_brightfield
from napari_mitostain.model.device import (
    choose_device,
    choose_stain_dtype,
    free_memory,
    is_out_of_memory,
)
from napari_mitostain.model.device_scaling import detail_of_part, memory_of, scale_planes, travels_as_it_is, uploaded
from napari_mitostain.model.download import Download, Fetched, Here
from napari_mitostain.model.loading import Model
from napari_mitostain.model.strips import stain_in_strips
from napari_mitostain.tiling import pad

Images = NDArray[Any] | Tensor
"""Images in the memory that they are computed in: of the processor, or of a GPU."""

_TILE, _LARGE_TILE = 1024, 4096
"""Side of a core: of a large one a tenth is halo, of a small one two fifths. The small one takes less than 1 GB; the
large one, for GPUs, 2.5 GB in float16."""

_TOGETHER = 2048**2
"""Pixels of small planes that are stained together: more are no faster, and leave nothing to do at the same time."""

_NUMBERS = 6
"""That a pixel of a window takes for each base channel while it passes through a whole network; 5 were measured."""

_STEPS = {torch.float16: 2.0**-16, torch.bfloat16: 2.0**-12}
"""What stains are rounded to, of their range: less than their error, and what is left of a number is stored in half the
room and time."""

_FOR_SCALING = 1 / 8
"""Part of a GPU's memory for planes that are scaled there while others are stained."""

_PLANES_WAITING, _PARTS_WAITING = 3, 9
"""What is scaled and not stained yet: two batches ahead and one that is at it, or as many parts as threads help."""


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
        self.dtype = choose_stain_dtype(settings.precision, self.device)
        self.model = model
        self.tile = self._best_tile() if settings.tile is None else settings.tile
        self.room, self._for_scaling = 0, 0.0
        self._scaling = threading.Lock()  # held by the thread that scales: the memory is for one at a time
        if self.device.type != "cpu":
            self._fit_into(settings.gpu_memory_gb)
        is_openvino_s = settings.backend == "openvino" and self.device.type == "cpu"
        self._openvino = model.by_openvino(self.dtype) if is_openvino_s else None
        try:
            self.network = model.prepared(self.device, self.dtype)
            self._streams = self._new_streams()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]  # torch adds lines of advice to programmers
            raise DeviceError(
                f"Expected {self.device} to take the model, got {reason}; choose another device."
            ) from error

    def _best_tile(self) -> int:
        return _LARGE_TILE if self.device.type == "cuda" else _TILE

    def _fit_into(self, memory_gb: float | None) -> None:
        """Choose tile and room for so much memory."""
        stride = self.model.geometry.stride
        halos = 2 * self.model.geometry.margin
        largest = (max(self.tile, _LARGE_TILE) + halos) ** 2
        memory = free_memory(self.device) / 2 if memory_gb is None else memory_gb * 1e9
        self._for_scaling = memory * _FOR_SCALING
        a_pixel = _NUMBERS * self.model.generator.base_channels * self.dtype.itemsize
        window = int(min(largest, memory * (1 - _FOR_SCALING) / a_pixel))
        self.tile = min(self.tile, max(stride, (isqrt(window) - halos) // stride * stride))
        self.room = int(min(_TOGETHER, window, self._for_scaling / memory_of(1, _PLANES_WAITING)))

    def _new_streams(self) -> tuple[torch.cuda.Stream, torch.cuda.Stream] | None:
        """Return what a GPU scales on, and what it sends stains with, while it computes others."""
        if self.device.type != "cuda":
            return None
        return torch.cuda.Stream(self.device), torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def scaled(self, planes: Sequence[NDArray[Any]]) -> tuple[Images, list[bool]]:
        """Scale planes as `scale_brightfield` does, on a GPU if its memory takes them; from any thread.

        Parameters
        ----------
        planes : sequence of ndarray
            Brightfield (Y, X), finite, of one type and shape.

        Returns
        -------
        scaled : ndarray or Tensor
            (B, Y, X) float32, made for `stained`; those without contrast are left out.
        is_blank : list of bool
            Which planes have no contrast.
        """
        pixels = sum(plane.size for plane in planes)
        if self._streams is not None and memory_of(pixels, _PLANES_WAITING) <= self._for_scaling:
            try:
                with self._scaling, torch.cuda.stream(self._streams[0]):
                    scaled, found = scale_planes(uploaded(planes, self.device), self.model.card.scaling)
                    is_blank = found.tolist()
                    scaled = scaled[~found] if any(is_blank) else scaled
                    self._streams[0].synchronize()
                    return scaled, is_blank
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self.release_memory()
        done = [scale_brightfield(plane, self.model.card.scaling) for plane in planes]
        is_blank = [not plane.any() for plane in done]
        visible = [plane for plane, is_empty in zip(done, is_blank, strict=True) if not is_empty]
        return visible[0][None] if len(visible) == 1 else np.array(visible).reshape(-1, *planes[0].shape), is_blank

    def detail(self, contrast: PlaneContrast, part: NDArray[Any]) -> NDArray[np.float32]:
        """Return `PlaneContrast.detail` of a part (Y, X) of a plane; from any thread."""
        detail = self._detail_there(contrast, part)
        return contrast.detail(part) if detail is None else detail.cpu().numpy()

    @torch.inference_mode()
    def scaled_part(self, contrast: PlaneContrast, part: NDArray[Any]) -> Images:
        """Scale a part (Y, X) of a plane as `PlaneContrast.scale` does; from any thread, made for `stained`."""
        scaled = self._detail_there(contrast, part, contrast.contrast)
        return contrast.scale(part) if scaled is None else scaled

    @torch.inference_mode()
    def _detail_there(self, contrast: PlaneContrast, part: NDArray[Any], unit: float = 1) -> Tensor | None:
        """Return the detail of a part in units on a GPU, None where there is none or its memory does not suffice."""
        if self._streams is None or not travels_as_it_is(part.dtype):
            return None
        if memory_of(part.size, _PARTS_WAITING) > self._for_scaling:
            return None
        try:
            with self._scaling, torch.cuda.stream(self._streams[0]):
                detail = detail_of_part(uploaded([part], self.device)[0], contrast).div_(unit)
                self._streams[0].synchronize()
                return detail
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        self.release_memory()
        return None

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
        step = _STEPS.get(self.dtype)
        return stain if step is None else stain.div_(step).round_().mul_(step)

    @torch.inference_mode()
    def fetched(self, stain: Images) -> Fetched:
        """Send for what `stained` gave, or for a part of it."""
        if isinstance(stain, Tensor):
            if self._streams is not None:
                return Download(stain, self._streams[1])
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
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _used_here(images: Tensor) -> Tensor:
    """Keep the stream that images were made on from using their memory anew before this one is done with them."""
    if images.is_cuda:
        images.record_stream(torch.cuda.current_stream(images.device))
    return images


def _separate(windows: Images) -> NDArray[np.float32]:
    """Return windows as (B, 1, h, w)."""
    return np.ascontiguousarray(windows, np.float32).reshape(-1, 1, *windows.shape[-2:])
