"""A generator with all that is done around it, as one TorchScript network for programs that know only networks."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mitostain.image.scaling import (
    OUTLIER_PERCENTILES,
    OUTLIER_REACH,
    ROUGH_SAMPLE,
    SAMPLE,
    background_width,
    gaussian_spread,
)
from napari_mitostain.model.generator import folded
from napari_mitostain.model.loading import Model


def whole_network(model: Model) -> torch.jit.ScriptModule:
    """Return a model as a TorchScript network, which saved to a file needs none of this package.

    Parameters
    ----------
    model : Model

    Returns
    -------
    ScriptModule
        Takes brightfield (B, 1, Y, X) of any size from the model's stride on, finite float32 in the camera's own
        intensities, and gives the stain (B, 1, Y, X), float32 in [0, 1], as `stain` does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch advises its own format, which others do not read
        scripted: torch.jit.ScriptModule = torch.jit.script(_WholeNetwork(model).eval())
    return scripted


class _WholeNetwork(nn.Module):
    """Scales planes as `scale_brightfield` does, pads them to the generator's stride, and stains them.

    `device_scaling.scale_planes` does the same with what TorchScript does not know: caches, NumPy, settings.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        settings, stride = model.card.scaling, model.geometry.stride
        self.width, self.stride = background_width(settings.background_px), stride
        self.low, self.high = map(float, settings.percentiles)
        self.spread = gaussian_spread(settings)
        self.lowest, self.highest = OUTLIER_PERCENTILES
        self.reach, self.rough_sample, self.sample = OUTLIER_REACH, ROUGH_SAMPLE, SAMPLE
        self.rounding = torch.finfo(torch.float32).eps
        generator = folded(model.generator).requires_grad_(False)
        self.generator = torch.jit.trace(generator, torch.zeros(1, 1, stride, stride))  # type: ignore[no-untyped-call]

    def forward(self, brightfield: Tensor) -> Tensor:
        """Stain brightfield: (B, 1, Y, X) to (B, 1, Y, X)."""
        scaled, is_blank = self.scaled(brightfield[:, 0].float())  # (B, Y, X), (B,)
        height, width = scaled.size(1), scaled.size(2)
        more = [0, -width % self.stride, 0, -height % self.stride]
        stain: Tensor = self.generator(F.pad(scaled[:, None], more, mode="reflect"))
        return torch.where(is_blank[:, None, None, None], 0.0, stain[:, :, :height, :width])

    def scaled(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Scale planes (B, Y, X), and tell which have no contrast."""
        low, high = self.percentiles(planes, self.rough_sample, self.lowest, self.highest)
        reach = self.reach * (high - low)
        reach = torch.where(reach > 0, reach, torch.inf)
        clipped = torch.minimum(torch.maximum(planes, low - reach), high + reach)
        rounding = self.rounding * clipped.abs().amax((1, 2), True)
        clipped = clipped - low  # sums of a camera's offset would cost the digits that the contrast needs
        detail = clipped - self.background(clipped)
        low, high = self.percentiles(detail, self.sample, self.low, self.high)
        contrast = (high - low) / self.spread
        contrast = torch.where(contrast > 0, contrast, detail.std((1, 2), False, True))
        is_blank = contrast <= rounding
        return detail / torch.where(is_blank, torch.inf, contrast), is_blank[:, 0, 0]

    def background(self, planes: Tensor) -> Tensor:
        """Average along rows three times, turn, and once more."""
        for _ in range(2):
            length = planes.size(2)
            seen = torch.arange(-(self.width // 2), length + self.width - self.width // 2 - 1, device=planes.device)
            seen = seen.remainder(2 * length)  # a line, and its mirror image around it
            seen = torch.minimum(seen, 2 * length - 1 - seen)
            for _ in range(3):
                planes = F.avg_pool2d(planes[:, :, seen], [1, self.width], [1, 1])
            planes = planes.transpose(1, 2).contiguous()
        return planes

    def percentiles(self, planes: Tensor, side: int, low: float, high: float) -> tuple[Tensor, Tensor]:
        """Interpolate between the intensities in order of a sample: two percentiles (B, 1, 1) of planes (B, Y, X)."""
        rows, columns = max(1, planes.size(1) // side), max(1, planes.size(2) // side)
        ordered = planes[:, ::rows, ::columns].flatten(1).sort(1)[0]  # (B, N)
        return self.at(ordered, low), self.at(ordered, high)

    def at(self, ordered: Tensor, percent: float) -> Tensor:
        """Return one percentile (B, 1, 1) of numbers in order (B, N)."""
        place = percent / 100 * (ordered.size(1) - 1)
        first = int(place)
        further = min(first + 1, ordered.size(1) - 1)
        return torch.lerp(ordered[:, first], ordered[:, further], place - first)[:, None, None]
