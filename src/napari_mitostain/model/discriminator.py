"""The discriminator: judges every pixel of a fluorescence image, given its brightfield image."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_mitostain.model.unet import UNet


class Discriminator(UNet):
    """U-Net discriminator conditioned on the brightfield image, one logit for each pixel."""

    def __init__(self, base_channels: int = 8, depth: int = 4) -> None:
        super().__init__(2, base_channels, depth)

    def judge(self, brightfield: Tensor, fluorescence: Tensor) -> Tensor:
        """Return logits (B, 1, H, W), high where the pair (B, 1, H, W) each looks real."""
        return super().forward(torch.cat([brightfield, fluorescence], dim=1))  # (B, 2, H, W) to (B, 1, H, W)
