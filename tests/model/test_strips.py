"""Strips must not be seen in the stain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mitostain.model import strips
from napari_mitostain.model.fused import fused
from napari_mitostain.model.generator import Generator, folded
from napari_mitostain.model.unet import channels_last


@pytest.fixture(params=[False, True], ids=["plain", "fused"])
def generator(request: pytest.FixtureRequest) -> Generator:
    torch.manual_seed(0)
    network = Generator(4, 3)
    with torch.no_grad():  # batch norms that do something, and a stain that uses its range
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        network.head.weight *= 200
    ready = folded(network)
    channels_last(ready)
    return fused(ready) if request.param else ready


@pytest.mark.parametrize("pixels", [1, 8 * 48, 30 * 48, 10**6])  # from two rows a strip to all
@pytest.mark.parametrize("height", [8, 16, 24, 40, 104, 200])
def test_stain_is_that_of_the_whole_image(
    generator: Generator, monkeypatch: pytest.MonkeyPatch, height: int, pixels: int
) -> None:
    monkeypatch.setattr(strips, "_BYTES", pixels * 4 * 4)  # 4 channels of float32
    image = torch.randn(1, 1, height, 48).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole, in_strips = generator(image), strips.stain_in_strips(generator, image)
    assert whole.std() > 0.1
    # float32 sums of at most 9 · 64 terms of order 1, in another order: 576 · 6e-8, through 4 layers of a logit
    np.testing.assert_allclose(in_strips.numpy(), whole.numpy(), atol=1e-4)


def test_a_seam_would_be_seen(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "_BYTES", 1)
    monkeypatch.setattr(strips, "_REACH", 0)
    image = torch.randn(1, 1, 40, 48).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        difference = (strips.stain_in_strips(generator, image) - generator(image)).abs()
    assert difference.amax() > 1e-2
