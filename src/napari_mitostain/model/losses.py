"""Losses of the two players: TN-weighted L1 and the adversarial terms of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.weighting import Statistics, bands, ramp, tn_weights


def batch_statistics(target: Tensor) -> Statistics:
    """Measure each sample of a batch over its finite pixels.

    Parameters
    ----------
    target : Tensor
        Fluorescence (B, C, H, W) of any floating-point type.

    Returns
    -------
    Statistics
        Tensors (B, 1, 1, 1) of float64.
    """
    flat = target.detach().flatten(1).double()  # (B, C·H·W)
    finite = torch.isfinite(flat)
    count = finite.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
    minimum = torch.where(finite, flat, torch.inf).amin(1, keepdim=True)
    minimum = torch.where(torch.isfinite(minimum), minimum, 0)
    above = torch.where(finite, flat - minimum, 0)
    top = above.amax(1, keepdim=True)
    unit = torch.where(top > 0, top / (2 * torch.frexp(top).mantissa), 1)
    above = above / unit  # below 2, so no square overflows or vanishes; a power of two rounds nothing
    mean = above.sum(1, keepdim=True) / count
    variance = torch.where(finite, (above - mean).square(), 0).sum(1, keepdim=True) / count
    values = (count, minimum, minimum + unit * mean, unit * variance.sqrt(), minimum + top)
    return Statistics(*(value[:, :, None, None] for value in values))  # each (B, 1, 1, 1)


def batch_weights(
    target: Tensor, settings: WeightSettings = WeightSettings(), measured: Sequence[Statistics] | None = None
) -> Tensor:
    """Compute `tn_weights` for each sample of a batch.

    On the processor they are the very arrays of `tn_weights`; elsewhere, and under ``torch.compile``, tensors draw the
    same lines.

    Parameters
    ----------
    target : Tensor
        Fluorescence (B, C, H, W).
    settings : WeightSettings
    measured : sequence of Statistics, optional
        One for each sample, of its plane or stack; by default those of the sample itself (the scope "patch").

    Returns
    -------
    Tensor
        float32 weights (B, C, H, W), 0 where the target is not finite; no gradient flows into them.
    """
    if target.device.type == "mps":  # it has no float64
        return batch_weights(target.cpu(), settings, measured).to(target.device)
    if target.device.type == "cpu" and not torch.compiler.is_compiling():
        wide = target.detach().float() if target.dtype == torch.bfloat16 else target.detach()  # NumPy has no bfloat16
        each = [None] * len(target) if measured is None else measured
        maps = [tn_weights(sample.numpy(), settings, own) for sample, own in zip(wide, each, strict=True)]
        return torch.from_numpy(np.stack(maps))  # (B, C, H, W)
    return tensor_weights(target, settings, measured)


def tensor_weights(
    target: Tensor, settings: WeightSettings = WeightSettings(), measured: Sequence[Statistics] | None = None
) -> Tensor:
    """Compute `batch_weights` by operations on tensors alone, on any device that has float64."""
    own = batch_statistics(target) if measured is None else _as_tensors(measured, target.device)
    edges = bands(own, settings)
    line = ramp(edges.above_minimum(), settings)
    finite = torch.isfinite(target)
    above = torch.where(finite, target.detach().double() - edges.edges[0], 0)
    weights = above * line.slope + line.start
    for edge, bend, jump in zip(line.edges, line.bends, line.jumps, strict=True):
        weights += (above - edge).clamp(min=0) * bend + (above > edge) * jump
    return torch.where(finite, weights, 0).float()


def _as_tensors(measured: Sequence[Statistics], device: torch.device) -> Statistics:
    """Turn the statistics of each sample into tensors (B, 1, 1, 1)."""
    columns = zip(*(astuple(own) for own in measured), strict=True)
    return Statistics(
        *(torch.tensor(column, dtype=torch.float64, device=device)[:, None, None, None] for column in columns)
    )


def tn_loss(
    prediction: Tensor,
    target: Tensor,
    settings: WeightSettings = WeightSettings(),
    measured: Sequence[Statistics] | None = None,
) -> Tensor:
    """Threshold-normalised weighted L1: ``mean(w · |prediction - target|)`` (Somani et al., BVM 2021, Eq. 3).

    Parameters
    ----------
    prediction, target : Tensor
        Stain and fluorescence (B, 1, H, W); non-finite target pixels carry no weight.
    settings : WeightSettings
    measured : sequence of Statistics, optional
        See `batch_weights`.

    Returns
    -------
    Tensor
        Scalar of float32, or of float64 if `prediction` or `target` is.

    Raises
    ------
    ImageError
        If the shapes differ, which tensors would be stretched to fit.
    """
    if prediction.shape != target.shape:
        raise ImageError(
            f"Expected a stain of the target's shape {tuple(target.shape)}, got {tuple(prediction.shape)}; reshape it."
        )
    wide = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
    error = (prediction.to(wide) - target.to(wide).nan_to_num(0, 0, 0)).abs()
    return (batch_weights(target, settings, measured) * error).mean()


class TNLoss(nn.Module):
    """`tn_loss` as a module.

    Parameters
    ----------
    settings : WeightSettings
        Coefficients of the weight map; the paper's by default.

    Examples
    --------
    >>> import torch
    >>> target = torch.rand(2, 1, 32, 32)
    >>> float(TNLoss()(target, target))
    0.0
    """

    def __init__(self, settings: WeightSettings = WeightSettings()) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a stain (B, 1, H, W) against its target (B, 1, H, W), a scalar."""
        return tn_loss(prediction, target, self.settings)


def l1_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Plain L1: the TN loss with every weight 1, of targets whose pixels are all finite."""
    return F.l1_loss(prediction.float(), target.float())


def mse_adversarial(logits: Tensor, real: bool) -> Tensor:
    """Squared distance of the probability to the label (least-squares GAN, Mao et al., ICCV 2017)."""
    return (torch.sigmoid(logits.float()) - float(real)).square().mean()


def focal_adversarial(logits: Tensor, real: bool, gamma: float = 2.0) -> Tensor:
    """Cross-entropy that fades for pixels already judged right (Lin et al., ICCV 2017)."""
    signed = logits.float() if real else -logits.float()
    return (torch.sigmoid(-signed) ** gamma * F.softplus(-signed)).mean()


def jaccard_adversarial(logits: Tensor, real: bool) -> Tensor:
    """One minus the soft Jaccard index of the judged with the true class."""
    right = torch.sigmoid(logits.float() if real else -logits.float()).flatten(1)  # (B, H·W)
    return 1 - right.mean(1).mean()  # every pixel has the label, so intersection / union = mean probability


def dice_bce_adversarial(logits: Tensor, real: bool) -> Tensor:
    """Soft Dice loss of the true class plus binary cross-entropy."""
    signed = logits.float() if real else -logits.float()
    right = torch.sigmoid(signed).flatten(1).mean(1)  # (B,)
    return (1 - 2 * right / (right + 1)).mean() + F.softplus(-signed).mean()


ADVERSARIAL: dict[str, Callable[[Tensor, bool], Tensor]] = {
    "mse": mse_adversarial,
    "focal": focal_adversarial,
    "jaccard": jaccard_adversarial,
    "dice-bce": dice_bce_adversarial,
}
