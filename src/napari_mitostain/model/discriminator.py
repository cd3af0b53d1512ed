"""Discriminators: they judge whether a fluorescence image is real, given its brightfield image."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mitostain.model.unet import UNet

SMALLEST_PATCH = 24
"""Side of the smallest image that `PatchGAN` gives a judgement of."""


class Discriminator(UNet):
    """U-Net discriminator conditioned on the brightfield image, one logit for each pixel."""

    def __init__(self, base_channels: int = 8, depth: int = 4) -> None:
        super().__init__(2, base_channels, depth)
        _forgetful(self)

    def judge(self, brightfield: Tensor, fluorescence: Tensor) -> Tensor:
        """Return logits (B, 1, H, W), high where the pair (B, 1, H, W) each looks real."""
        return super().forward(torch.cat([brightfield, fluorescence], dim=1))  # (B, 2, H, W) to (B, 1, H, W)


class PatchGAN(nn.Sequential):
    """PatchGAN discriminator: a logit for each of many overlapping patches of 70×70 pixels.

    Five 4×4 convolutions, the first three of stride 2; batch norm but in the first and the last; no sigmoid, which the
    losses bring (Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017).

    Parameters
    ----------
    base_channels : int
        Channels of the first convolution; the next three have twice, four and eight times as many.
    """

    def __init__(self, base_channels: int = 64) -> None:
        widths = [2, *(base_channels * factor for factor in (1, 2, 4, 8))]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            stride = 1 if number == 3 else 2
            layers.append(nn.Conv2d(before, after, 4, stride, padding=1, bias=number == 0))
            layers += [nn.BatchNorm2d(after)] if number else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for module in self:
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.02)
        _forgetful(self)

    def judge(self, brightfield: Tensor, fluorescence: Tensor) -> Tensor:
        """Return logits (B, 1, h, w), high where patches of the pair (B, 1, H, W) each look real; h = H / 8 − 2."""
        logits: Tensor = self(torch.cat([brightfield, fluorescence], dim=1))  # (B, 2, H, W) to (B, 1, h, w)
        return logits


def _forgetful(network: nn.Module) -> None:
    """Let batch norms go by what they see, always: running statistics would mix real with stained images."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
