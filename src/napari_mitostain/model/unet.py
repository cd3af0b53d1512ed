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
        self.decoders = nn.ModuleList(ConvBlock(2 * width, width) for width in reversed(widths[:-1]))
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
        skips: list[Tensor] = []
        for encoder in self.encoders[:-1]:
            skips.append(encoder(image))  # (B, base · 2^level, H / 2^level, W / 2^level)
            image = F.max_pool2d(skips[-1], 2)
        image = self.encoders[-1](image)  # (B, base · 2^depth, H / 2^depth, W / 2^depth)
        for reducer, decoder in zip(self.reducers, self.decoders, strict=True):
            image = F.interpolate(reducer(image), scale_factor=2, mode="bilinear", align_corners=False)
            image = decoder(torch.cat([skips.pop(), image], dim=1))
        logits: Tensor = self.head(image)  # (B, 1, H, W)
        return logits
