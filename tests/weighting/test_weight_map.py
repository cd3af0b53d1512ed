"""The TN weights, against the formula written out pixel by pixel in float64."""

from __future__ import annotations

import math
import statistics as exact
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from napari_mitostain.config import WeightSettings
from napari_mitostain.model.losses import batch_weights, tensor_weights
from napari_mitostain.weighting import merged, statistics, tn_weights

Weigh = Callable[..., NDArray[Any]]

TOLERANCE = 1e-5
"""What DESIGN.md allows; float64 arithmetic and one rounding of a weight below 1 to float32 (6e-8) stay far below."""

JUMPY = WeightSettings(a=(0.1, 0.2, 0.3), b=(1.0, 2.0, 3.0))
"""Bands whose weights do not meet, so that a pixel's weight tells its band."""


def reference(image: NDArray[Any], s: WeightSettings = WeightSettings()) -> NDArray[np.float64]:
    """DESIGN.md's formula, read aloud."""
    finite = [float(value) for value in image.ravel() if math.isfinite(value)]
    if not finite:
        return np.zeros(image.shape)
    mean, std = exact.mean(finite), exact.pstdev(finite)
    edges = (min(finite), mean + s.sigmas[0] * std, mean + s.sigmas[1] * std, max(finite))
    weights = []
    for value in image.ravel().tolist():
        if not math.isfinite(value):
            weights.append(0.0)
            continue
        band = 0 if value <= edges[1] else 1 if value <= edges[2] else 2
        low, high = edges[band], edges[band + 1]
        # a constant image has M0 = M1: its band is a point, where w = b
        weights.append((s.a[band] * ((value - low) / (high - low)) if high > low else 0.0) + s.b[band])
    return np.array(weights).reshape(image.shape)


def by_tensors(image: NDArray[Any], s: WeightSettings = WeightSettings()) -> NDArray[Any]:
    """What the loss weighs by on a GPU."""
    return tensor_weights(torch.from_numpy(image.astype(np.float64))[None, None], s)[0, 0].numpy()


both_ways = pytest.mark.parametrize("weigh", [tn_weights, by_tensors], ids=["arrays", "tensors"])


def near_an_edge(image: NDArray[Any], s: WeightSettings = WeightSettings()) -> bool:
    """Whether rounding decides on which side of M1 or M2 some pixel lies; the formula itself jumps at max F = M2."""
    finite = image[np.isfinite(image)].astype(np.float64)
    if finite.size == 0 or np.ptp(finite) == 0:
        return False
    levels = (finite - finite.min()) / np.ptp(finite)  # in [0, 1]: the squares of tiny intensities would vanish
    edges = [levels.mean() + factor * levels.std() for factor in s.sigmas]
    return any(bool((np.abs(levels - edge) < 1e-6).any()) for edge in edges)


def images(dtype: type, low: float, high: float) -> st.SearchStrategy[NDArray[Any]]:
    size = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    if np.issubdtype(dtype, np.integer):
        return hnp.arrays(dtype, size, elements=st.integers(int(low), int(high)))
    width = 8 * np.dtype(dtype).itemsize
    # no subnormal float64: edges between such intensities are no float at all
    number = st.floats(low, high, width=width, allow_subnormal=width < 64)
    return hnp.arrays(dtype, size, elements=number | st.sampled_from([math.nan, math.inf, -math.inf]))


@both_ways
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_weights_are_those_of_the_formula_for_every_data_type(weigh: Weigh, dtype: type, data: st.DataObject) -> None:
    signed = not np.issubdtype(dtype, np.unsignedinteger)
    image = data.draw(images(dtype, -1000 if signed else 0, 255 if dtype is np.uint8 else 1000))
    assume(not near_an_edge(image))
    np.testing.assert_allclose(weigh(image), reference(image), atol=TOLERANCE)


@both_ways
@given(
    a=st.tuples(*[st.floats(-2, 2)] * 3),
    b=st.tuples(*[st.floats(-2, 2)] * 3),
    first=st.floats(-1, 2),
    seed=st.integers(0),
)
@settings(max_examples=25, deadline=None)
def test_weights_follow_every_coefficient(weigh: Weigh, a: Any, b: Any, first: float, seed: int) -> None:
    image = np.random.default_rng(seed).exponential(size=(12, 11))
    chosen = WeightSettings(a=a, b=b, sigmas=(first, first + 1.5))
    assume(not near_an_edge(image, chosen))
    measured = statistics(image)
    assume(measured.mean + first * measured.std > measured.minimum)  # else band 1 is empty, and M1 below M0
    np.testing.assert_allclose(weigh(image, chosen), reference(image, chosen), atol=TOLERANCE)


@both_ways
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_constant_image_weighs_the_first_offset_everywhere(weigh: Weigh, dtype: type) -> None:
    np.testing.assert_array_equal(weigh(np.full((3, 4), 7, dtype)), np.zeros((3, 4)))
    np.testing.assert_allclose(weigh(np.full((3, 4), 7, dtype), JUMPY), np.full((3, 4), JUMPY.b[0]))


@both_ways
def test_two_values_weigh_the_ends_of_their_bands(weigh: Weigh) -> None:
    # one of four is bright: µ = 25, σ = 100·√3/4 = 43.3, M1 = 68.3, M2 = 154.9 beyond the maximum
    first, second = 25 + 25 * 3**0.5, 25 + 75 * 3**0.5
    bright = 0.5 * (100 - first) / (second - first) + 0.2
    np.testing.assert_allclose(weigh(np.array([[0, 0], [0, 100]])), [[0, 0], [0, bright]], atol=TOLERANCE)


@both_ways
@given(seed=st.integers(0))
@settings(max_examples=20, deadline=None)
def test_band_three_is_empty_and_weights_stay_below_its_offset_if_the_maximum_is_below_m2(
    weigh: Weigh, seed: int
) -> None:
    image = np.random.default_rng(seed).random((16, 16))  # uniform: M2 is about 0.5 + 3 · 0.29
    weights = weigh(image)
    assert weights.max() < 0.7
    np.testing.assert_allclose(weights, reference(image), atol=TOLERANCE)


@both_ways
def test_pixels_on_m1_belong_to_band_one(weigh: Weigh) -> None:
    image = np.array([[0.0, 2.0], [2.0, 0.0]])  # µ = 1, σ = 1, so M1 = 2, all exact in binary
    np.testing.assert_allclose(weigh(image, JUMPY), [[1.0, 1.1], [1.1, 1.0]], rtol=1e-6)


@both_ways
def test_pixels_on_m2_belong_to_band_two(weigh: Weigh) -> None:
    image = np.array([[0.0] * 9 + [10.0]])  # µ = 1, σ = √(90 / 10) = 3, so M2 = 10, all exact in binary
    weights = weigh(image, JUMPY)
    np.testing.assert_allclose(weights[0, -1], JUMPY.a[1] + JUMPY.b[1], rtol=1e-6)


@both_ways
def test_pixels_that_are_not_finite_weigh_nothing_and_change_no_other_weight(weigh: Weigh) -> None:
    image = np.random.default_rng(3).exponential(size=(20, 20))
    holes = image.copy()
    holes[::7, ::5] = np.nan
    holes[0, 1], holes[0, 2] = np.inf, -np.inf
    finite = np.isfinite(holes)
    weights = weigh(holes, JUMPY)
    assert (weights[~finite] == 0).all()
    np.testing.assert_allclose(weights[finite], weigh(image[finite][None], JUMPY)[0], atol=TOLERANCE)


@both_ways
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_image_without_a_finite_pixel_weighs_nothing(weigh: Weigh, value: float) -> None:
    np.testing.assert_array_equal(weigh(np.full((4, 4), value), JUMPY), 0)


@both_ways
@pytest.mark.parametrize(
    ("dtype", "offset"), [(np.uint16, 60_000), (np.int32, 1_000_000), (np.int64, 10**9), (np.float64, 1e6)]
)
@given(seed=st.integers(0), levels=st.integers(2, 5000))
@settings(max_examples=15, deadline=None)
def test_weights_do_not_see_an_offset(weigh: Weigh, dtype: type, offset: int, seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    image = (random.random((17, 13)) ** 4 * levels).astype(int)  # whole numbers, so the offset itself rounds nothing
    assume(not near_an_edge(image))
    lifted = (image + offset).astype(dtype)
    np.testing.assert_allclose(weigh(lifted), weigh(image), atol=TOLERANCE)


@both_ways
@given(seed=st.integers(0), power=st.integers(-290, 290))
@settings(max_examples=15, deadline=None)
def test_weights_do_not_see_a_gain(weigh: Weigh, seed: int, power: int) -> None:
    image = np.random.default_rng(seed).exponential(size=(12, 12))
    assume(not near_an_edge(image))
    np.testing.assert_allclose(weigh(image * 10.0**power), reference(image), atol=TOLERANCE)


@both_ways
@given(seed=st.integers(0), skew=st.floats(0.3, 8))
@settings(max_examples=25, deadline=None)
def test_default_weights_rise_with_intensity_within_zero_and_one(weigh: Weigh, seed: int, skew: float) -> None:
    image = np.random.default_rng(seed).random((20, 20)) ** skew
    weights = weigh(image).ravel()[image.ravel().argsort()]
    assert weights.min() == 0  # the minimum itself
    assert weights.max() <= 1
    assert (np.diff(weights) >= -1e-6).all()  # float32 steps near 1 are 6e-8


@both_ways
def test_default_weights_are_continuous_at_the_edges_of_bands(weigh: Weigh) -> None:
    measured = statistics(np.random.default_rng(0).exponential(size=100_000))
    ramp = np.linspace(measured.minimum, measured.maximum, 100_001)
    # an exponential distribution has µ = σ = 1: bands of width 2, 2 and about 8, hence slopes of at most 0.25
    step = 0.3 * (ramp[1] - ramp[0])
    wide = tn_weights(ramp[None], measured=measured)
    assert np.abs(np.diff(wide)).max() <= step + 1e-6
    own = weigh(ramp[None])  # uniform: µ + σ = 0.79 of the range, band 2 has the slope 0.5 / (2 · 0.29)
    assert np.abs(np.diff(own)).max() <= (0.87 + 0.01) / 100_000 + 1e-6


def test_maximum_weighs_one_if_band_three_is_filled() -> None:
    image = np.zeros((10, 10))
    image[0, 0] = 5.0  # µ + 3σ = 0.05 + 3 · 0.4975 = 1.54
    assert tn_weights(image)[0, 0] == pytest.approx(1.0, abs=1e-6)


def test_statistics_of_a_wider_scope_replace_the_image_s_own() -> None:
    stack = np.random.default_rng(1).exponential(size=(3, 16, 16))
    stack[2] *= 5
    np.testing.assert_allclose(tn_weights(stack[2], measured=statistics(stack)), reference(stack)[2], atol=TOLERANCE)
    assert np.abs(tn_weights(stack[2]) - reference(stack)[2]).max() > 0.01


@given(
    planes=st.lists(
        hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(-1e4, 1e4) | st.just(math.nan)), max_size=5
    )
)
@settings(max_examples=60, deadline=None)
def test_merged_statistics_are_those_of_the_images_together(planes: list[NDArray[np.float64]]) -> None:
    one = merged([statistics(plane) for plane in planes])
    whole = statistics(np.concatenate([*planes, np.empty(0)]))
    assert (one.count, one.minimum, one.maximum) == (whole.count, whole.minimum, whole.maximum)
    # values up to 1e4 carry rounding of 1e4 · 2^-52 = 2e-12; the root of a variance of rounding alone, 1e-11 · 1e4,
    # is 3e-4 at worst, and only where σ itself is that small
    assert one.mean == pytest.approx(whole.mean, abs=1e-9)
    assert one.std**2 == pytest.approx(whole.std**2, rel=1e-9, abs=1e-7)


def test_merged_statistics_do_not_see_an_offset() -> None:
    planes = np.random.default_rng(2).integers(0, 50, (4, 9, 9))
    low, high = (merged([statistics(plane + offset) for plane in planes]) for offset in (0, 10**9))
    assert high.std == pytest.approx(low.std, rel=1e-6)  # plane means near 1e9 carry 1e-7 each, 1e-8 of σ ≈ 14
    assert high.mean - high.minimum == pytest.approx(low.mean - low.minimum, rel=1e-6)


def test_statistics_are_exact_where_the_sum_of_squares_would_cancel() -> None:
    image = np.array([0, 1, 2, 3], dtype=np.uint16) + np.uint16(65_000)
    measured = statistics(image)
    assert measured.std == pytest.approx(math.sqrt(Fraction(5, 4)), rel=1e-14)
    assert (measured.minimum, measured.maximum, measured.count) == (65_000, 65_003, 4)
    assert measured.mean == 65_001.5


def test_each_sample_of_a_batch_is_weighed_by_itself() -> None:
    random = np.random.default_rng(4)
    samples = [
        random.exponential(size=(8, 8)) * gain + offset for gain, offset in [(1, 0), (100, 5), (0, 3), (1e-3, 9)]
    ]
    samples[1][0, :3] = np.nan
    batch = torch.from_numpy(np.stack(samples))[:, None]
    for weigh in (batch_weights, tensor_weights):
        for together, sample in zip(weigh(batch).numpy()[:, 0], samples, strict=True):
            np.testing.assert_allclose(together, reference(sample), atol=TOLERANCE)


@pytest.mark.parametrize("scope", ["patch", "wider"])
def test_the_loss_weighs_by_the_very_array_of_the_overlay(scope: str) -> None:
    targets = np.random.default_rng(6).exponential(size=(3, 1, 40, 40)).astype(np.float32)
    measured = [statistics(targets)] * 3 if scope == "wider" else None
    own = measured or [None] * 3
    overlay = np.stack([tn_weights(target, JUMPY, each) for target, each in zip(targets, own, strict=True)])
    np.testing.assert_array_equal(batch_weights(torch.from_numpy(targets), JUMPY, measured).numpy(), overlay)
    by_operations = tensor_weights(torch.from_numpy(targets), JUMPY, measured).numpy()
    np.testing.assert_allclose(by_operations, overlay, atol=TOLERANCE)


def test_weights_compile_to_one_graph() -> None:
    target = torch.from_numpy(np.random.default_rng(7).exponential(size=(2, 1, 16, 16)))
    compiled = torch.compile(batch_weights, backend="eager", fullgraph=True)
    np.testing.assert_allclose(compiled(target).numpy(), batch_weights(target).numpy(), atol=TOLERANCE)


def test_weights_take_little_memory_beside_their_own() -> None:
    image = np.random.default_rng(8).random((1500, 1500), np.float32)
    tn_weights(image[:64])  # what is loaded once does not count
    tracemalloc.start()
    weights = tn_weights(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * weights.nbytes  # the map itself, and less than as much again


@pytest.mark.parametrize("side", [1, 255, 256, 600])  # below a block of 2¹⁶ pixels, around it, and several
def test_blocks_leave_no_trace(side: int) -> None:
    image = np.random.default_rng(side).exponential(size=(side, side + 1))
    image[0, 0] = np.nan
    finite = image[np.isfinite(image)]
    measured = statistics(image)
    assert measured.count == finite.size
    if side > 1:
        # a mean of 1e5 numbers of order 1 in float64
        assert (measured.mean, measured.std) == pytest.approx((finite.mean(), finite.std()), rel=1e-12)
        np.testing.assert_allclose(
            tn_weights(image), tensor_weights(torch.from_numpy(image)[None, None])[0, 0], atol=TOLERANCE
        )
    np.testing.assert_array_equal(tn_weights(image.T), tn_weights(image).T)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_tensors_are_float32_and_those_of_the_array_for_every_type(dtype: torch.dtype) -> None:
    target = torch.from_numpy(np.random.default_rng(5).exponential(size=(2, 1, 8, 8))).to(dtype)
    weights = batch_weights(target)
    assert weights.dtype == torch.float32
    for one, sample in zip(weights, target, strict=True):
        np.testing.assert_allclose(one, reference(sample.double().numpy()), atol=TOLERANCE)


def test_weights_take_no_gradient_to_the_target() -> None:
    target = torch.rand(1, 1, 8, 8, requires_grad=True)
    assert not batch_weights(target).requires_grad


@both_ways
def test_pixels_beyond_an_empty_first_band_have_its_whole_rise_behind_them(weigh: Weigh) -> None:
    image = np.array([[0.0, 1.0]])  # µ = σ = 0.5: with sigmas (-1, 3) M1 is the minimum and M2 is 2
    settings = WeightSettings(sigmas=(-1.0, 3.0))
    np.testing.assert_allclose(weigh(image, settings), [[0.0, 0.5 * 1 / 2 + 0.2]], atol=TOLERANCE)
