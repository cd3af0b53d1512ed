"""The generator as OpenVINO runs it: on processors of some kinds a little faster than torch.

The graph is written here, layer by layer, as `UNet` has them: OpenVINO's own conversion traces torch, takes a second,
and reports that it was used to its makers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_mitostain.errors import DeviceError
from napari_mitostain.model.generator import Generator, folded


class OpenVinoGenerator:
    """Stains images when called, with as many threads as torch would take.

    Parameters
    ----------
    generator : Generator
        Left as it is.
    dtype : torch.dtype
        float32 or bfloat16.

    Raises
    ------
    DeviceError
        If OpenVINO is not installed.
    """

    def __init__(self, generator: Generator, dtype: torch.dtype) -> None:
        try:
            from openvino import opset13
        except ImportError as error:
            raise DeviceError(
                f"Expected OpenVINO to be there, got {error}; install napari-mitostain[openvino] or choose torch."
            ) from error
        model = _Graph(opset13).of(folded(generator))
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = _core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stain scaled brightfield (B, 1, H, W); values in [0, 1]."""
        stain: NDArray[np.float32] = self._request.infer([images], share_inputs=True)[0]
        return stain


@cache
def _core() -> Any:
    """Return OpenVINO's core, which is kept as long as the process.

    Its plugin for processors gives a thread another stack to handle signals on, and unmaps it when the last core goes.
    If that happens in another thread, the next signal, such as Ctrl-C, is a segmentation fault (2026.4; see OpenVINO's
    pull request 11894).
    """
    import openvino

    return openvino.Core()


class _Graph:
    """Writes a folded generator in OpenVINO's operations."""

    def __init__(self, operations: Any) -> None:
        self._op = operations

    def of(self, generator: Generator) -> Any:
        """Return the whole model: images (B, 1, H, W) to stains, both float32."""
        import openvino

        images = self._op.parameter([-1, 1, -1, -1], np.float32)
        logits = self._convolution(self._from_level(generator, 0, images), generator.head)
        return openvino.Model([self._op.sigmoid(logits)], [images])

    def _from_level(self, generator: Generator, level: int, image: Any) -> Any:
        """Do as `UNet.from_level` does."""
        encoded = self._block(image, generator.encoders[level])
        if level == generator.depth:
            return encoded
        pooled = self._op.max_pool(encoded, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        coarse = self._convolution(self._from_level(generator, level + 1, pooled), generator.reducers[-1 - level])
        twice, rows_and_columns = np.array([2, 2], np.float32), np.array([2, 3])
        finer = self._op.interpolate(coarse, twice, "linear_onnx", "scales", axes=rows_and_columns)
        return self._block(self._op.concat([encoded, finer], 1), generator.decoders[-1 - level])

    def _block(self, image: Any, block: Any) -> Any:
        inner = self._op.relu(self._convolution(image, block[0]))
        return self._op.relu(self._convolution(inner, block[3]))

    def _convolution(self, image: Any, layer: Any) -> Any:
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        weight = self._op.constant(layer.weight.detach().numpy())  # (C', C, h, w)
        bias = self._op.constant(layer.bias.detach().numpy().reshape(1, -1, 1, 1))
        padding = [length // 2 for length in layer.kernel_size]
        return self._op.add(self._op.convolution(image, weight, [1, 1], padding, padding, [1, 1]), bias)
