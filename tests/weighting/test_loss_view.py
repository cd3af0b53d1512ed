"""The loss of a stain as it is shown, against the loss that trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.errors import ImageError
from napari_mitostain.model.losses import l1_loss, tn_loss
from napari_mitostain.weighting import view_loss, view_plane

STEEP = WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7))


@pytest.fixture
def target() -> NDArray[np.float32]:
    random = np.random.default_rng(0).exponential(size=(30, 40)).astype(np.float32)
    return random / random.max()


@pytest.fixture
def stain(target: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.random.default_rng(1).random(target.shape, np.float32)


@pytest.mark.parametrize("settings", [WeightSettings(), STEEP], ids=["paper", "steep"])
def test_losses_are_those_of_training(
    target: NDArray[np.float32], stain: NDArray[np.float32], settings: WeightSettings
) -> None:
    seen = view_loss(target, stain, view_plane(target, settings))
    tensors = [torch.from_numpy(image)[None, None] for image in (stain, target)]
    # float32 means of 1200 numbers below 1: some roundings of 6e-8 each
    assert seen.tn_loss == pytest.approx(float(tn_loss(*tensors, settings)), rel=1e-5)
    assert seen.l1_loss == pytest.approx(float(l1_loss(*tensors)), rel=1e-5)


def test_panels_are_what_they_say(target: NDArray[np.float32], stain: NDArray[np.float32]) -> None:
    plane = view_plane(target)
    seen = view_loss(target, stain, plane)
    np.testing.assert_array_equal(seen.error, np.abs(target - stain))
    np.testing.assert_array_equal(seen.weighted, plane.weights * np.abs(target - stain))
    assert seen.weights is plane.weights
    assert {part.dtype for part in (seen.target, seen.stain, seen.error, seen.weighted)} == {np.dtype(np.float32)}


def test_shares_are_of_the_losses(target: NDArray[np.float32], stain: NDArray[np.float32]) -> None:
    plane = view_plane(target)
    seen = view_loss(target, stain, plane)
    for shares, loss in ((seen.plain, seen.error), (seen.weighed, seen.weighted)):
        parts = [float(loss[plane.numbers == band].sum(dtype=np.float64)) for band in (1, 2, 3)]
        assert shares == pytest.approx([part / sum(parts) for part in parts], rel=1e-12)  # sums of float64


def test_weighting_takes_the_loss_from_the_background(target: NDArray[np.float32]) -> None:
    seen = view_loss(target, target + np.float32(0.1), view_plane(target))  # as wrong everywhere
    assert seen.plain == pytest.approx(seen.pixels, abs=1e-6)  # 0.1 is rounded anew in each difference
    assert seen.weighed[0] < seen.plain[0]
    assert seen.weighed[2] > seen.plain[2]


def test_perfect_stain_has_no_loss_to_share_out(target: NDArray[np.float32]) -> None:
    seen = view_loss(target, target, view_plane(target))
    assert (seen.l1_loss, seen.tn_loss, seen.plain, seen.weighed) == (0, 0, (0, 0, 0), (0, 0, 0))


def test_pixels_of_the_target_that_are_not_finite_carry_no_loss(
    target: NDArray[np.float32], stain: NDArray[np.float32]
) -> None:
    target[3:6, 3:6] = np.nan
    seen = view_loss(target, stain, view_plane(target))
    for part in (seen.target, seen.error, seen.weighted):
        assert np.isfinite(part).all()
        assert not part[3:6, 3:6].any()


def test_other_size_is_refused(target: NDArray[np.float32]) -> None:
    with pytest.raises(ImageError, match=r"^Expected a stain of the target's size, got \(30, 39\)"):
        view_loss(target, target[:, :-1], view_plane(target))
