"""Scaling of planes and of their parts where it is fastest: on the GPU that stains them, if its memory takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mitostain.config import ScalingSettings
from napari_mitostain.image import PlaneContrast, scale_brightfield
from napari_mitostain.model.device import Images, is_out_of_memory, release_memory, streams_of
from napari_mitostain.model.device_scaling import detail_of_part, memory_of, scale_planes, travels_as_it_is, uploaded
from napari_mitostain.tiling import Box

T = TypeVar("T")

PLANES_WAITING, _PARTS_WAITING = 3, 9
"""What is scaled and not stained yet: two batches ahead and one that is at it, or as many parts as threads help."""


class Scaler:
    """Scales brightfield; from any thread.

    Parameters
    ----------
    settings : ScalingSettings
    device : torch.device
    memory : float
        Bytes of a GPU that it may take.
    """

    def __init__(self, settings: ScalingSettings, device: torch.device, memory: float) -> None:
        self._settings, self._device, self._memory = settings, device, memory
        self._streams = streams_of(device)
        self._turn = threading.Lock()  # held by the thread that scales: the memory is for one at a time

    @torch.inference_mode()
    def planes(self, planes: Sequence[NDArray[Any]]) -> tuple[Images, list[bool]]:
        """Scale planes as `scale_brightfield` does.

        Parameters
        ----------
        planes : sequence of ndarray
            Brightfield (Y, X), finite, of one type and shape.

        Returns
        -------
        scaled : ndarray or Tensor
            (B, Y, X) float32, made for `Predictor.stained`; those without contrast are left out.
        is_blank : list of bool
            Which planes have no contrast.
        """

        def there() -> tuple[Images, list[bool]]:
            scaled, found = scale_planes(uploaded(planes, self._device), self._settings)
            is_blank: list[bool] = found.tolist()
            return scaled[~found] if any(is_blank) else scaled, is_blank

        done = self._on_gpu(there, memory_of(sum(plane.size for plane in planes), PLANES_WAITING))
        return self._here(planes) if done is None else done

    @torch.inference_mode()
    def part(self, contrast: PlaneContrast, part: NDArray[Any]) -> Images:
        """Scale a part (Y, X) of a plane as `PlaneContrast.scale` does, made for `Predictor.stained`."""
        scaled = self._of_part(part, lambda: self._detail(contrast, part).div_(contrast.contrast))
        return contrast.scale(part) if scaled is None else scaled

    @torch.inference_mode()
    def detail(self, contrast: PlaneContrast, part: NDArray[Any], where: Box) -> NDArray[np.float32]:
        """Return some pixels of `PlaneContrast.detail` of a part (Y, X) of a plane."""
        found = self._of_part(part, lambda: self._detail(contrast, part)[where].cpu())
        return contrast.detail(part)[where] if found is None else found.numpy()

    def _detail(self, contrast: PlaneContrast, part: NDArray[Any]) -> Tensor:
        return detail_of_part(uploaded([part], self._device)[0], contrast)

    def _of_part(self, part: NDArray[Any], compute: Callable[[], Tensor]) -> Tensor | None:
        return self._on_gpu(compute, memory_of(part.size, _PARTS_WAITING)) if travels_as_it_is(part.dtype) else None

    def _on_gpu(self, compute: Callable[[], T], memory: int) -> T | None:
        """Compute on the GPU and wait for it; None where there is none, or too little memory."""
        if self._streams is None or memory > self._memory:
            return None
        try:
            with self._turn, torch.cuda.stream(self._streams[0]):
                found = compute()
                self._streams[0].synchronize()
                return found
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        release_memory(self._device)
        return None

    def _here(self, planes: Sequence[NDArray[Any]]) -> tuple[Images, list[bool]]:
        """Scale planes on the processor."""
        done = [scale_brightfield(plane, self._settings) for plane in planes]
        is_blank = [not plane.any() for plane in done]
        visible = [plane for plane, is_empty in zip(done, is_blank, strict=True) if not is_empty]
        return visible[0][None] if len(visible) == 1 else np.array(visible).reshape(-1, *planes[0].shape), is_blank
