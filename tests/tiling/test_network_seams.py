"""Tiles of the real network cannot be seen: tiled equals untiled, and the receptive radius is what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mitostain.config import StainSettings
from napari_mitostain.model.card import Card
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.tiling import Geometry, plan_tiles, stitched

NETWORKS = [(2, 1), (4, 2), (3, 3), (4, 4)]
MakeGenerator = Callable[..., Generator]


def predictor(generator: Generator, precision: str = "float32") -> Predictor:
    card = Card("random", base_channels=generator.base_channels, depth=generator.depth)
    return Predictor(Model(card, generator), StainSettings("cpu", precision))  # type: ignore[arg-type]


def tiled(plane: np.ndarray, tile: int, predict: Predictor, halo: int | None = None) -> np.ndarray:
    geometry = predict.model.geometry
    if halo is not None:
        geometry = Geometry(geometry.stride, halo)
    return stitched(plane, plan_tiles(plane.shape, tile, geometry), predict)


def scaled(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("width", "depth"), NETWORKS)
@settings(max_examples=8)
@given(data=st.data())
def test_tiled_equals_untiled_in_float32(
    random_generator: MakeGenerator, width: int, depth: int, data: st.DataObject
) -> None:
    longest = 14 * 2**depth
    side = st.one_of(st.just(1), st.integers(1, longest))
    shape = data.draw(st.tuples(side, side), label="shape")
    fewest = 1 if max(shape) < longest // 3 else longest // 4  # each tile costs a run of the network
    tile = data.draw(st.integers(fewest, longest), label="tile")
    predict = predictor(random_generator(width, depth))
    plane = scaled(shape)
    whole = tiled(plane, max(shape), predict)
    assert np.abs(tiled(plane, tile, predict) - whole).max() <= 1e-4  # of the range, which is [0, 1]


@pytest.mark.parametrize(("width", "depth"), NETWORKS)
def test_stain_of_the_random_networks_spans_the_range_so_that_equality_means_something(
    random_generator: MakeGenerator, width: int, depth: int
) -> None:
    stain = tiled(scaled((96, 96)), 96, predictor(random_generator(width, depth)))
    assert np.percentile(stain, 95) - np.percentile(stain, 5) > 0.3


def positive(width: int, depth: int) -> Generator:
    """A generator in which every path that exists carries something: nothing cancels, nothing is cut off."""
    generator = Generator(width, depth).eval().double()
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.fill_(1 / (module.in_channels * module.kernel_size[0] * module.kernel_size[1]))
                if module.bias is not None:
                    module.bias.fill_(0)
    return generator


def influence(generator: Generator, distance: int) -> float:
    """Change of an aligned block of one stride when the pixels `distance` beyond its edges change, on all sides."""
    stride = generator.stride
    reach = -(-(generator.receptive_radius + 3 * stride) // stride) * stride
    side = 2 * reach + stride
    block = slice(reach, reach + stride)
    image = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frame = torch.zeros(side, side, dtype=torch.bool)
    near = slice(reach - distance, reach + stride + distance)
    further = slice(reach - distance - 1, reach + stride + distance + 1)
    frame[further, further] = True
    frame[near, near] = False
    with torch.no_grad():
        logits = torch.logit(_double(generator, image))
        changed = torch.logit(_double(generator, torch.where(frame, image + 100, image)))
    return float((changed - logits)[0, 0, block, block].abs().max())


def _double(generator: Generator, image: torch.Tensor) -> torch.Tensor:
    """The generator's own forward, but for its rounding to float32 at the end."""
    return torch.sigmoid(super(Generator, generator).forward(image))


@pytest.mark.parametrize(("width", "depth"), NETWORKS)
def test_pixels_beyond_the_receptive_radius_have_no_influence(width: int, depth: int) -> None:
    generator = positive(width, depth)
    assert influence(generator, generator.receptive_radius) < 1e-9  # float64 of values near 100 is good to 1e-14


@pytest.mark.parametrize(("width", "depth"), NETWORKS)
def test_pixels_just_inside_the_receptive_radius_have_influence(width: int, depth: int) -> None:
    generator = positive(width, depth)
    # The radius is that of the block's worse side; at most, the last pooling and convolution cells are not met exactly.
    assert max(influence(generator, generator.receptive_radius - step) for step in (1, 2)) > 1e-9


def test_halo_that_is_too_small_shows_as_a_seam(random_generator: MakeGenerator) -> None:
    predict = predictor(random_generator(4, 2))
    plane = scaled((96, 96))
    whole = tiled(plane, 96, predict)
    assert np.abs(tiled(plane, 32, predict, halo=4) - whole).max() > 1e-3
    assert np.abs(tiled(plane, 32, predict) - whole).max() <= 1e-4


def test_bfloat16_is_no_worse_at_tile_borders_than_elsewhere(random_generator: MakeGenerator) -> None:
    generator = random_generator(4, 2)
    plane, tile = scaled((160, 160)), 32
    exact = tiled(plane, 160, predictor(generator))
    error = np.abs(tiled(plane, tile, predictor(generator, "bfloat16")) - exact)
    seam = np.zeros(160, bool)
    for border in range(tile, 160, tile):
        seam[border - 4 : border + 4] = True
    at_seams = seam[:, None] | seam[None, :]
    # Rounding errors are alike everywhere. Of about 10 000 pixels each, correlated over some 20 pixels, the mean is
    # good to some 1 / sqrt(500) = 5 %; a seam of a halo that is too small multiplies it.
    assert 0 < error[at_seams].mean() < 1.2 * error[~at_seams].mean()
    seamy = np.abs(tiled(plane, tile, predictor(generator, "bfloat16"), halo=0) - exact)
    assert seamy[at_seams].mean() > 1.2 * seamy[~at_seams].mean()


def test_bfloat16_tiles_agree_with_the_whole_plane_to_its_rounding(random_generator: MakeGenerator) -> None:
    predict = predictor(random_generator(4, 2), "bfloat16")
    plane = scaled((96, 96))
    # bfloat16 holds 8 bits: two orders of the same sums differ by a few steps of 2^-8 in the logits, whose slope
    # through the sigmoid is at most 1/4. The logits stay below 8.
    difference = np.abs(tiled(plane, 32, predict) - tiled(plane, 96, predict))
    assert difference.max() <= 4 * 8 * 2**-8 / 4
