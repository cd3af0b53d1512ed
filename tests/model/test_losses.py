"""The generator's L1 terms and the discriminator's four losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.model.losses import ADVERSARIAL, TNLoss, l1_loss, tn_loss
from napari_mitostain.weighting import tn_weights

EQUAL = WeightSettings(a=(0.0, 0.0, 0.0), b=(1.0, 1.0, 1.0))

either_label = pytest.mark.parametrize("real", [True, False])
every_kind = pytest.mark.parametrize("kind", sorted(ADVERSARIAL))


def pair(seed: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=random), torch.rand(shape, generator=random) ** 4


def test_tn_loss_is_the_mean_of_weighted_errors_of_the_array_s_weight_map() -> None:
    prediction, target = pair(0, 3, 1, 16, 16)
    expected = [
        (tn_weights(one[0].numpy()) * np.abs(guess[0].numpy() - one[0].numpy())).mean()
        for guess, one in zip(prediction, target, strict=True)
    ]
    assert float(tn_loss(prediction, target)) == pytest.approx(np.mean(expected), rel=1e-5)  # float32 means


def test_tn_loss_is_zero_for_a_perfect_stain() -> None:
    _, target = pair(1, 2, 1, 8, 8)
    assert float(tn_loss(target, target)) == 0


@pytest.mark.parametrize("shape", [(4, 8, 8), (1, 1, 8, 8), (4, 1, 8, 1)])
def test_target_of_another_shape_is_refused_and_not_stretched(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"Expected a stain of the target's shape .*, got \(4, 1, 8, 8\)"):
        tn_loss(torch.rand(4, 1, 8, 8), torch.rand(shape))


def test_weights_of_one_everywhere_give_plain_l1() -> None:
    prediction, target = pair(2, 2, 1, 9, 7)
    assert float(tn_loss(prediction, target, EQUAL)) == pytest.approx(float(l1_loss(prediction, target)), rel=1e-6)
    assert float(l1_loss(prediction, target)) == pytest.approx(float((prediction - target).abs().mean()), rel=1e-6)


def test_module_and_function_agree() -> None:
    prediction, target = pair(3, 2, 1, 8, 8)
    for chosen in (WeightSettings(), EQUAL, WeightSettings(sigmas=(0.5, 2.0))):
        assert TNLoss(chosen)(prediction, target) == tn_loss(prediction, target, chosen)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_gradient_by_the_prediction_is_that_of_finite_differences(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    target = torch.rand((2, 1, 5, 4), generator=random)
    # errors of 0.3 to 0.5: finite differences cross no kink
    side = torch.randint(0, 2, target.shape, generator=random) * 2 - 1
    prediction = target + side * (0.3 + 0.2 * torch.rand(target.shape, generator=random))
    prediction = prediction.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: tn_loss(p, target), prediction)


def test_target_pixels_that_are_not_finite_carry_neither_loss_nor_gradient() -> None:
    prediction, target = pair(4, 1, 1, 6, 6)
    target[0, 0, 0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
    prediction.requires_grad_()
    tn_loss(prediction, target).backward()
    assert prediction.grad is not None
    assert (prediction.grad[0, 0, 0, :3] == 0).all()
    assert torch.isfinite(prediction.grad).all()
    assert prediction.grad.abs().sum() > 0


def test_tn_loss_under_bfloat16_autocast_is_that_in_float32() -> None:
    image, target = pair(5, 2, 1, 16, 16)
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        prediction = network(image)
        assert prediction.dtype == torch.bfloat16
        loss = tn_loss(prediction, target)
    assert loss.dtype == torch.float32
    assert loss.item() == tn_loss(prediction.float(), target).item()  # the loss itself rounds nothing to bfloat16
    loss.backward()
    assert torch.isfinite(network.weight.grad).all()


@every_kind
@either_label
def test_perfect_discriminator_loses_nothing(kind: str, real: bool) -> None:
    logits = torch.full((2, 1, 4, 4), 50.0 if real else -50.0)  # exp(-50) = 2e-22 vanishes in float32
    assert float(ADVERSARIAL[kind](logits, real)) == pytest.approx(0, abs=1e-6)


AT_ZERO = {
    "mse": 0.25,  # (1/2 - label)²
    "focal": 0.25 * math.log(2),  # (1 - 1/2)² · -log 1/2
    "jaccard": 0.5,  # intersection over union is the mean probability
    "dice-bce": 1 / 3 + math.log(2),  # 1 - 2 · 1/2 / (1/2 + 1), and -log 1/2
}


@every_kind
@either_label
def test_undecided_discriminator_loses_what_the_closed_form_says(kind: str, real: bool) -> None:
    assert float(ADVERSARIAL[kind](torch.zeros(3, 1, 4, 4), real)) == pytest.approx(AT_ZERO[kind], rel=1e-6)


AT_P = {
    "mse": lambda p: (1 - p) ** 2,
    "focal": lambda p: (1 - p) ** 2 * -math.log(p),
    "jaccard": lambda p: 1 - p,
    "dice-bce": lambda p: 1 - 2 * p / (p + 1) - math.log(p),
}


@every_kind
@either_label
@given(p=st.floats(0.02, 0.98))
@settings(max_examples=20, deadline=None)
def test_loss_depends_only_on_the_probability_of_the_true_label(kind: str, real: bool, p: float) -> None:
    logit = math.log(p / (1 - p))
    logits = torch.full((2, 1, 3, 5), logit if real else -logit)
    # float32 rounds the logit (below 4) by 1.2e-7, losses (below 5) by 2.4e-7, a few times over
    assert float(ADVERSARIAL[kind](logits, real)) == pytest.approx(AT_P[kind](p), rel=1e-5, abs=2e-6)


@every_kind
@either_label
def test_confidently_wrong_discriminator_gets_a_finite_loss_and_no_broken_gradient(kind: str, real: bool) -> None:
    logits = torch.full((1, 1, 4, 4), -200.0 if real else 200.0, requires_grad=True)
    loss = ADVERSARIAL[kind](logits, real)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@every_kind
@either_label
def test_gradient_pushes_logits_to_the_label(kind: str, real: bool) -> None:
    logits = torch.linspace(-3, 3, 16).reshape(1, 1, 4, 4).requires_grad_()
    ADVERSARIAL[kind](logits, real).backward()
    assert logits.grad is not None
    assert ((logits.grad < 0) if real else (logits.grad > 0)).all()


def test_focal_without_focus_is_cross_entropy() -> None:
    logits = torch.linspace(-4, 4, 32).reshape(2, 1, 4, 4)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    assert float(ADVERSARIAL["focal"](logits, True, 0.0)) == pytest.approx(float(expected), rel=1e-6)


def test_every_discriminator_loss_of_the_settings_is_there() -> None:
    from typing import get_args

    from napari_mitostain.config import DiscriminatorLoss

    assert set(ADVERSARIAL) | {"none"} == set(get_args(DiscriminatorLoss))
