"""The U-Net that both the generator and the per-pixel discriminator are made of.

Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015; with batch
normalisation, "same" convolutions, and bilinear upsampling instead of transposed convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Sequential):
    """Twice: 3×3 convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class JoinBlock(ConvBlock):
    """A `ConvBlock` of what the encoder of a level gives, beside what comes up from the level below."""

    def forward(self, skip: Tensor, finer: Tensor) -> Tensor:  # type: ignore[override]
        """Decode two images (B, C, H, W) into one."""
        decoded: Tensor = super().forward(torch.cat([skip, finer], dim=1))  # type: ignore[no-untyped-call]
        return decoded


class UNet(nn.Module):
    """U-Net with one output channel of logits.

    Parameters
    ----------
    channels_in : int
        1 for the generator (brightfield), 2 for the discriminator (brightfield and fluorescence).
    base_channels : int
        Channels at full resolution; each halving doubles them.
    depth : int
        Number of halvings.
    """

    def __init__(self, channels_in: int = 1, base_channels: int = 16, depth: int = 4) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.depth = depth
        self.encoders = nn.ModuleList(
            ConvBlock(before, after) for before, after in zip([channels_in, *widths[:-1]], widths, strict=True)
        )
        self.reducers = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in reversed(widths[:-1]))
        self.decoders = nn.ModuleList(JoinBlock(2 * width, width) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(base_channels, 1, 1)

    @property
    def stride(self) -> int:
        """Pixels per cell of the coarsest level: sides of the input must be multiples of it."""
        return int(2**self.depth)

    @property
    def receptive_radius(self) -> int:
        """Pixels beyond a block aligned to the stride that its output depends on; further ones have no influence.

        Follows both ends of the block back through the layers: two 3×3 convolutions reach 2 cells of their level,
        bilinear upsampling one cell of the coarser level, pooling both cells of the finer level.
        """
        first, last = 0, self.stride - 1
        for _ in range(self.depth):
            first, last = (first - 2 - 1) // 2, (last + 2 + 1) // 2  # decoder block, then upsampling
        first, last = first - 2, last + 2  # the coarsest block
        for _ in range(self.depth):
            first, last = 2 * first - 2, 2 * last + 1 + 2  # pooling, then encoder block
        return max(-first, last - (self.stride - 1))

    def forward(self, image: Tensor) -> Tensor:
        """Map images (B, channels_in, H, W) to logits (B, 1, H, W)."""
        logits: Tensor = self.head(self.from_level(0, image))  # (B, 1, H, W)
        return logits

    def from_level(self, level: int, image: Tensor) -> Tensor:
        """Encode an image, hand it down through the coarser levels, and decode what comes back beside it.

        Parameters
        ----------
        level : int
            0 for full resolution.
        image : Tensor
            What the level's encoder takes: (B, channels_in, H, W), or (B, base · 2^(level - 1), H, W) below.

        Returns
        -------
        Tensor
            (B, base · 2^level, H, W)
        """
        encoded: Tensor = self.encoders[level](image)  # (B, base · 2^level, H, W)
        if level == self.depth:
            return encoded
        coarse = self.reducers[-1 - level](self.from_level(level + 1, F.max_pool2d(encoded, 2)))
        finer = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)  # as encoded
        decoded: Tensor = self.decoders[-1 - level](encoded, finer)
        return decoded


def channels_last(network: nn.Module) -> None:
    """Lay a network's weights out as its convolutions are fastest, in place: the channels of a pixel side by side.

    With one input channel that layout and the usual one are the same numbers in memory, and torch, which then goes by
    the strides, would take the usual one for the first convolution and so for all that follow.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.shape[1] == 1:
            weight = module.weight.data  # (C, 1, h, w)
            height, width = weight.shape[-2:]
            module.weight.data = weight.as_strided(weight.shape, (height * width, 1, width, 1))
