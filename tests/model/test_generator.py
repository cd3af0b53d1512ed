"""The generator made ready for inference is the generator."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from napari_mitostain.model.generator import Generator, folded

MakeGenerator = Callable[..., Generator]


@pytest.mark.parametrize(("width", "depth"), [(2, 1), (4, 2), (3, 3)])
def test_folded_generator_gives_the_same_stain(random_generator: MakeGenerator, width: int, depth: int) -> None:
    generator = random_generator(width, depth)
    image = torch.randn(2, 1, 8 * generator.stride, 6 * generator.stride)
    with torch.inference_mode():
        # weights rounded once more, 6e-8 of logits of a few units, a few times for each of up to 14 layers
        torch.testing.assert_close(folded(generator)(image), generator(image), rtol=0, atol=1e-5)


def test_folding_takes_all_batch_norms_out_and_leaves_the_original_as_it_is(random_generator: MakeGenerator) -> None:
    generator = random_generator(4, 2)
    before = copy.deepcopy(generator.state_dict())
    ready = folded(generator)
    assert not [module for module in ready.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not ready.training
    for name, value in generator.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_generator_in_training_is_folded_as_it_would_evaluate(random_generator: MakeGenerator) -> None:
    generator = random_generator(4, 2)
    image = torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        expected = generator(image)
        generator.train()
        torch.testing.assert_close(folded(generator)(image), expected, rtol=0, atol=1e-5)
    assert generator.training
    generator.eval()  # it is shared


def test_stain_in_bfloat16_is_rounded_only_once_the_network_is_through(random_generator: MakeGenerator) -> None:
    generator = folded(random_generator(4, 2)).bfloat16()
    with torch.inference_mode():
        stain = generator(torch.randn(1, 1, 32, 32, dtype=torch.bfloat16))
    assert stain.dtype == torch.float32
    # bfloat16 has 128 steps between 0.5 and 1; the float32 sigmoid of its logits, which are finer near 0, has more
    assert (stain != stain.bfloat16().float()).float().mean() > 0.5
