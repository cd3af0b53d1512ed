"""What is measured of a pair: the same for copies, and told from what the camera cannot have meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_mitostain.config import TrainSettings
from napari_mitostain.training.pair import Pair, pair_of_arrays
from napari_mitostain.training.survey import PairFacts, facts_of, image_facts, measured_pairs
from napari_mitostain.weighting import statistics

SETTINGS = TrainSettings(epochs=1, patch=16, depth=2)
IMAGE = np.random.default_rng(0).integers(0, 4000, (40, 40), np.uint16)


def pairs_of(*acquisitions: str) -> list[Pair]:
    random = np.random.default_rng(0)
    images = [random.random((40, 40), np.float32) + number for number, _ in enumerate(acquisitions)]
    return [pair_of_arrays(f"{n}", name, images[n], images[n]) for n, name in enumerate(acquisitions)]


def facts_of_all(pairs: list[Pair]) -> list[PairFacts]:
    return [facts_of(pair.source.planes(), pair.read(), SETTINGS) for pair in pairs]


def test_copies_have_one_digest_and_nothing_else_has() -> None:
    others = [IMAGE.T, IMAGE.astype(np.int16), IMAGE.reshape(20, 80), IMAGE + np.uint16(1)]
    digests = [image_facts(image).digest for image in [IMAGE, *others]]
    assert len({*digests}) == 5
    assert image_facts(np.asfortranarray(IMAGE.copy())).digest == digests[0]


def test_clean_images_have_no_flaw() -> None:
    facts = image_facts(IMAGE)
    assert (facts.is_constant, facts.is_finite) == (False, True)
    assert facts.saturated < 0.01


@pytest.mark.parametrize(
    ("image", "share"),
    [
        (IMAGE.clip(0, 2000), 0.5),
        ((IMAGE // 8).clip(0, 255).astype(np.uint8), 0.5),
        ((IMAGE / 2000).clip(0, 1), 0.5),
        (IMAGE % 20, 0.0),  # few levels, far from the limit of any camera
    ],
)
def test_pixels_at_the_limit_are_counted(image: Any, share: float) -> None:
    assert image_facts(image).saturated == pytest.approx(share, abs=0.04)  # 1600 pixels: 3 standard deviations


@pytest.mark.parametrize("value", [0, 255, 7])
def test_constant_images_are_not_saturated(value: int) -> None:
    facts = image_facts(np.full((9, 9), value, np.uint8))
    assert facts.is_constant
    assert facts.saturated == 0


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_pixels_that_are_not_finite_are_told(share: float) -> None:
    image = np.ones((10, 10), np.float32)
    image[: int(10 * share)] = np.nan
    facts = image_facts(image)
    assert not facts.is_finite
    assert facts.is_constant


def test_pairs_are_measured_over_the_scope_of_their_weights() -> None:
    pairs = pairs_of("a", "a", "b")
    facts = facts_of_all(pairs)
    targets = [pair.read().target for pair in pairs]
    assert [pair.measured for pair in measured_pairs(pairs, facts, "patch")] == [None] * 3
    assert [pair.measured for pair in measured_pairs(pairs, facts, "plane")] == [statistics(one) for one in targets]
    together = statistics(np.stack(targets[:2]))
    measured = [pair.measured for pair in measured_pairs(pairs, facts, "stack")]
    assert measured[0] == measured[1]
    assert measured[2] == statistics(targets[2])
    assert measured[0] is not None
    # float64 sums in another order
    assert (measured[0].mean, measured[0].std) == pytest.approx((together.mean, together.std), rel=1e-12)
