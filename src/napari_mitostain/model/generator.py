"""The generator: brightfield in, stain out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_mitostain.model.unet import ConvBlock, UNet

_DARK = -3.0
"""Logit an untrained generator starts from: the TN loss hardly weighs background, so nothing would darken it later."""


class Generator(UNet):
    """U-Net generator of the conditional GAN.

    Takes scaled brightfield (B, 1, H, W), zero mean and about unit contrast, and gives the stain (B, 1, H, W),
    relative intensity in [0, 1]. H and W must be multiples of `stride`.
    """

    def __init__(self, base_channels: int = 16, depth: int = 4) -> None:
        super().__init__(1, base_channels, depth)
        self.base_channels = base_channels
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, _DARK)

    def forward(self, image: Tensor) -> Tensor:
        """Stain scaled brightfield: (B, 1, H, W) to (B, 1, H, W) in [0, 1]."""
        return self.intensity(self.from_level(0, image))

    def intensity(self, decoded: Tensor) -> Tensor:
        """Turn what the last block gives (B, base, H, W) into the stain (B, 1, H, W) in [0, 1]."""
        return torch.sigmoid(self.head(decoded).float())  # bfloat16 has too few steps near 1


def folded(generator: Generator) -> Generator:
    """Return a copy for inference whose batch norms are folded into the convolutions before them.

    Parameters
    ----------
    generator : Generator
        Left as it is.

    Returns
    -------
    Generator
        In evaluation mode, with the same output up to float rounding.
    """
    result = copy.deepcopy(generator).eval()
    for block in [*result.encoders, *result.decoders]:
        assert isinstance(block, ConvBlock)
        for at in (0, 3):
            convolution, norm = block[at], block[at + 1]
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            block[at], block[at + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return result
