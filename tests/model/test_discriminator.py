"""Discriminators: a logit for each pixel, or for each patch of 70×70."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_mitostain.model.discriminator import SMALLEST_PATCH, Discriminator, PatchGAN


def test_unet_judges_every_pixel() -> None:
    assert Discriminator(2, 2).judge(torch.zeros(3, 1, 16, 24), torch.zeros(3, 1, 16, 24)).shape == (3, 1, 16, 24)


def test_patchgan_judges_patches_of_70_pixels() -> None:
    network = PatchGAN(4)
    assert network.judge(torch.zeros(1, 1, 256, 256), torch.zeros(1, 1, 256, 256)).shape == (1, 1, 30, 30)
    for module in list(network):
        if isinstance(module, nn.BatchNorm2d):  # whose statistics reach everywhere
            network[list(network).index(module)] = nn.Identity()
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    logits = network.judge(image, image)
    logits[0, 0, 7, 7].backward()
    assert image.grad is not None
    rows, columns = (image.grad[0, 0].abs().sum(axis).nonzero().flatten() for axis in (1, 0))
    assert (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1) == (70, 70)


def test_patchgan_has_the_layers_of_pix2pix() -> None:
    network = PatchGAN(64)
    sizes = [tuple(module.weight.shape) for module in network if isinstance(module, nn.Conv2d)]
    assert sizes == [(64, 2, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (512, 256, 4, 4), (1, 512, 4, 4)]
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network) == 3
    assert not any(isinstance(module, nn.Sigmoid) for module in network)


def test_smallest_patch_has_one_judgement() -> None:
    image = torch.randn(1, 1, SMALLEST_PATCH, SMALLEST_PATCH)
    assert PatchGAN(2).judge(image, image).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("network", [Discriminator(2, 2), PatchGAN(2)])
def test_judgement_is_by_what_is_seen_in_evaluation_too(network: Discriminator | PatchGAN) -> None:
    image = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        learning = network.train().judge(image, 3 * image)
        assert torch.equal(network.eval().judge(image, 3 * image), learning)
    assert not [name for name in network.state_dict() if "running" in name]
