"""The script that makes stains as bright as their targets."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from brightness import as_bright_as
from napari_mitostain import stain
from napari_mitostain.config import StainSettings
from napari_mitostain.image import scale_brightfield
from napari_mitostain.model.loading import Model
from napari_mitostain.training.pair import Pair, pair_of_arrays

EXACT = StainSettings("cpu", "float32")


@pytest.fixture
def pairs(tiny_model: Model) -> list[Pair]:
    """Pairs whose targets are what the model stains."""
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    return [
        pair_of_arrays(str(number), "a", scale_brightfield(image), stain(image, tiny_model, EXACT, axes="YX"))
        for number, image in enumerate(images)
    ]


def test_stains_that_are_too_bright_become_as_bright_as_the_targets(tiny_model: Model, pairs: list[Pair]) -> None:
    bright = Model(tiny_model.card, deepcopy(tiny_model.generator))
    with torch.no_grad():
        bright.generator.head.weight *= 1.5
        bright.generator.head.bias += 0.7
    before = bright.generator.head.bias.item()
    found = as_bright_as(pairs, bright)
    # what is left are the simplex' last steps, 1e-4 of a logit
    torch.testing.assert_close(found.generator.head.weight, tiny_model.generator.head.weight, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(found.generator.head.bias, tiny_model.generator.head.bias, rtol=1e-2, atol=1e-2)
    assert bright.generator.head.bias.item() == before
