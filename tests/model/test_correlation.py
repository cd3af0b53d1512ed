"""The correlation loss is what the scores call Pearson and detail Pearson, and has a gradient wherever it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_mitostain.model.correlation import correlation_loss
from napari_mitostain.scoring import score


def image(seed: int, *shape: int) -> torch.Tensor:
    """Structures of some pixels, in [0, 1]."""
    random = np.random.default_rng(seed)
    smooth = np.stack([gaussian_filter(random.standard_normal(shape[2:]), 2) for _ in range(shape[0])])
    return torch.from_numpy((0.5 + smooth).clip(0, 1).astype(np.float32))[:, None]  # (B, 1, H, W)


@pytest.mark.parametrize("shape", [(3, 1, 48, 64), (1, 1, 16, 9)])
def test_loss_is_how_far_the_scores_are_from_one(shape: tuple[int, ...]) -> None:
    stain, target = image(0, *shape), (image(0, *shape) + image(1, *shape)) / 2
    scores = [score(a[0].numpy(), b[0].numpy()) for a, b in zip(stain, target, strict=True)]
    expected = np.mean([2 - one.pearson - one.detail_pearson for one in scores])
    assert 0.1 < expected < 1.9
    # float32 sums of some thousand squares, and 1e-8 under the root beside powers of 1e-5
    assert float(correlation_loss(stain, target)) == pytest.approx(expected, abs=2e-3)


def test_loss_is_blind_to_brightness_and_greatest_for_the_opposite() -> None:
    target = image(2, 2, 1, 64, 64)
    for stain, expected in ((0.1 + 0.6 * target, 0), (1 - target, 4)):
        assert float(correlation_loss(stain, target)) == pytest.approx(expected, abs=1e-3)


def test_stain_beside_a_target_where_nothing_is_to_be_seen_is_led_to_it() -> None:
    noise = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3)) * 0.01  # deviation 0.003
    stain = (noise + 0.05).requires_grad_()  # it correlates, and is too bright all over
    loss = correlation_loss(stain, noise)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(0.5)  # half of what no correlation would count; no detail is wrong
    assert stain.grad is not None
    assert stain.grad.mean() > 0
    assert float(correlation_loss(noise, noise)) == 0


def test_flat_target_changes_nothing_for_the_others_of_a_batch() -> None:
    noise = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3)) * 0.01
    stains, targets = image(4, 2, 1, 32, 32).requires_grad_(), torch.cat([noise, image(5, 1, 1, 32, 32)])
    loss = correlation_loss(stains, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    alone = [correlation_loss(stains[k : k + 1], targets[k : k + 1]) for k in range(2)]
    assert float(loss.detach()) == pytest.approx(float(sum(alone).detach()) / 2)
    assert stains.grad is not None
    assert stains.grad[1].abs().max() > 0


def test_stain_of_one_intensity_has_a_finite_gradient_that_leads_to_the_target() -> None:
    target = image(6, 1, 1, 32, 32)
    stain = torch.full_like(target, 0.05).requires_grad_()
    before = correlation_loss(stain, target)
    before.backward()  # type: ignore[no-untyped-call]
    assert stain.grad is not None
    assert torch.isfinite(stain.grad).all()
    moved = stain.detach() - 0.1 * stain.grad / stain.grad.abs().max()
    assert float(correlation_loss(moved, target)) < float(before.detach()) - 0.5


def test_pixels_without_a_target_count_as_right() -> None:
    stain, target = image(7, 1, 1, 32, 32), image(8, 1, 1, 32, 32)
    whole = correlation_loss(stain, target)
    target[..., :16] = torch.nan
    assert float(correlation_loss(stain, target)) < float(whole)
    target[:] = torch.inf
    assert float(correlation_loss(stain, target)) == pytest.approx(0, abs=1e-3)


def test_mixed_precision_does_not_round_it() -> None:
    stain, target = image(9, 1, 1, 48, 48), image(10, 1, 1, 48, 48)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = correlation_loss(stain, target)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, correlation_loss(stain, target))
