"""The U-Net: its stride, and a receptive radius that is neither too small nor too large."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from napari_mitostain.model.discriminator import Discriminator
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.unet import UNet
from napari_mitostain.tiling import Geometry, plan_tiles, stitched

every_depth = pytest.mark.parametrize("depth", [1, 2, 3, 4])


def positive(depth: int) -> Generator:
    """A generator through which every pixel of its receptive field is felt: nothing cancels, nothing is cut off.

    In float64, and with sums instead of means, so that even the outermost pixel arrives far above rounding.
    """
    network = Generator(2, depth).eval().double()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.in_channels)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


@torch.inference_mode()
def logits(network: UNet, image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the parent class gives: the generator's sigmoid would swallow such sums."""
    return UNet.forward(network, torch.from_numpy(np.ascontiguousarray(image))[None, None])[0, 0].numpy()


def distances(network: UNet) -> tuple[slice, NDArray[np.int_]]:
    """Return rows of an aligned block of one stride amid a line of pixels, and how far from it each pixel lies."""
    stride = network.stride
    start = -(-(network.receptive_radius + 2 * stride) // stride) * stride
    index = np.arange(2 * start + stride)
    return slice(start, start + stride), np.maximum(start - index, index - (start + stride - 1))


def noise(seed: int, *shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


@every_depth
def test_nothing_beyond_the_receptive_radius_changes_an_aligned_block(
    depth: int, random_generator: Callable[..., Generator]
) -> None:
    network = random_generator(2, depth).double()
    block, distance = distances(network)
    far = np.maximum(distance[:, None], distance[None, :]) > network.receptive_radius
    image = noise(depth, *far.shape)
    changed = np.where(far, 1000 * noise(depth + 10, *far.shape), image)
    np.testing.assert_array_equal(logits(network, changed)[block, block], logits(network, image)[block, block])


@every_depth
@pytest.mark.parametrize("axis", [0, 1])
def test_receptive_radius_is_the_smallest_that_holds(depth: int, axis: int) -> None:
    network = positive(depth)
    block, distance = distances(network)
    along = np.broadcast_to(distance[:, None], (len(distance),) * 2)
    far = along if axis == 0 else along.T
    still, beyond, within = (
        logits(network, np.where(far >= reach, 1e6, 1.0))[block, block]
        for reach in (np.inf, network.receptive_radius + 1, network.receptive_radius)
    )
    np.testing.assert_array_equal(beyond, still)
    assert (within > still * 1.001).any()


@pytest.mark.parametrize("depth", [2, 3])
def test_halo_one_stride_below_the_receptive_radius_is_seen_in_the_stitch(depth: int) -> None:
    network = positive(depth)
    radius, stride = network.receptive_radius, network.stride
    tile, short = 4 * stride, (-(-radius // stride) - 1) * stride
    image = np.ones((stride + 1, 2 * (-(-radius // tile) + 1) * tile))
    core = slice(image.shape[1] // 2, image.shape[1] // 2 + tile)
    image[:, [core.start - radius, core.stop - 1 + radius]] = 1e6  # as far from a core as is felt

    def tiled(tile: int, halo: int) -> NDArray[np.float64]:
        plan = plan_tiles((image.shape[0], image.shape[1]), tile, Geometry(stride, halo))
        return stitched(image, plan, lambda window: logits(network, window))

    whole = tiled(image.shape[1], radius)
    # positive sums of float64 in another order: some 1e4 terms of 1e-16 each
    np.testing.assert_allclose(tiled(tile, radius), whole, rtol=1e-11)
    assert (np.abs(tiled(tile, short) / whole - 1) > 1e-3)[:, core].any()


@every_depth
def test_sides_must_be_multiples_of_the_stride_and_no_more(depth: int) -> None:
    network = Generator(2, depth).eval()
    stride = network.stride
    assert stride == 2**depth
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, stride, 3 * stride)).shape == (2, 1, stride, 3 * stride)
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 1, 2 * stride, 2 * stride - 1))


def test_generator_stains_within_zero_and_one_and_starts_dark() -> None:
    torch.manual_seed(0)
    network = Generator(4, 2)
    with torch.no_grad():
        stain = network(torch.randn(2, 1, 32, 32))
    assert stain.dtype == torch.float32
    assert 0 <= stain.min() <= stain.max() <= 1
    assert stain.median() < 0.2  # the bias alone gives 0.05


def test_discriminator_judges_each_pixel_by_both_images() -> None:
    torch.manual_seed(1)
    network = Discriminator(4, 2).eval()
    brightfield, fluorescence = torch.randn(2, 2, 1, 16, 24)
    with torch.no_grad():
        judged = network.judge(brightfield, fluorescence)
        assert judged.shape == (2, 1, 16, 24)
        assert (network.judge(brightfield + 1, fluorescence) != judged).any()
        assert (network.judge(brightfield, fluorescence + 1) != judged).any()
