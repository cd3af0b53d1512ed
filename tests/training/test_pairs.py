"""Pairs: found by name, checked for size, split so that no field of view lies on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.config import ScalingSettings, TrainSettings
from napari_mitostain.errors import FileError, ImageError, TrainingError
from napari_mitostain.image import scale_brightfield
from napari_mitostain.training.pairs import Pair, acquisition_names, measured_pairs, open_pairs, split_pairs
from napari_mitostain.weighting import statistics

FLAT = np.zeros((4, 4), np.float32)


def pairs_of(*acquisitions: str) -> list[Pair]:
    return [Pair(f"{number}", name, FLAT, FLAT) for number, name in enumerate(acquisitions)]


def names_of(pairs: list[Pair]) -> set[str]:
    return {pair.acquisition for pair in pairs}


def test_pairs_are_found_and_scaled(pairs_folder: Callable[..., Path]) -> None:
    folder = pairs_folder("x_01_t1.tif", "x_01_t2.tif", "y_01_t1.tif")
    scaling = ScalingSettings(background_px=6)
    pairs = open_pairs(folder, scaling)
    assert [(pair.name, pair.acquisition) for pair in pairs] == [
        ("x_01_t1.tif", "x_01"),
        ("x_01_t2.tif", "x_01"),
        ("y_01_t1.tif", "y_01"),
    ]
    raw = tifffile.imread(folder / "brightfield" / "y_01_t1.tif")
    np.testing.assert_array_equal(pairs[2].brightfield, scale_brightfield(raw, scaling))
    # An 8-bit target keeps its range, as in the paper.
    truth = tifffile.imread(folder / "mitochondria" / "y_01_t1.tif") / np.float32(255)
    np.testing.assert_allclose(pairs[2].target, truth, rtol=1e-6)


def test_stacks_count_plane_by_plane_and_share_one_range(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part in ("brightfield", "mitochondria"):
        (tmp_path / part).mkdir()
        stack = random.integers(100, 900, (3, 16, 16), np.uint16)
        tifffile.imwrite(tmp_path / part / "s.tif", stack, photometric="minisblack")
    pairs = open_pairs(tmp_path)
    assert len(pairs) == 3
    assert len({pair.name for pair in pairs}) == 3
    assert names_of(pairs) == {"s"}
    targets = np.stack([pair.target for pair in pairs])
    assert targets.min() == 0
    assert targets.max() == 1
    assert sum(pair.target.min() == 0 for pair in pairs) == 1  # the range is the stack's, not the plane's


def test_targets_with_holes_stay_finite(tmp_path: Path) -> None:
    target = np.random.default_rng(0).random((16, 16), np.float32) * 500
    target[3] = np.nan
    for part in ("brightfield", "mitochondria"):
        (tmp_path / part).mkdir()
        tifffile.imwrite(tmp_path / part / "s.tif", target)
    (pair,) = open_pairs(tmp_path)
    assert np.isfinite(pair.target).all()
    assert np.isfinite(pair.brightfield).all()


@pytest.mark.parametrize("part", ["brightfield", "mitochondria"])
def test_missing_partner_is_named(pairs_folder: Callable[..., Path], part: str) -> None:
    folder = pairs_folder("a_1.tif", "a_2.tif")
    (folder / part / "a_2.tif").unlink()
    with pytest.raises(FileError, match=r"a_2\.tif"):
        open_pairs(folder)


@pytest.mark.parametrize("part", ["brightfield", "mitochondria"])
def test_missing_or_empty_folder(pairs_folder: Callable[..., Path], part: str) -> None:
    folder = pairs_folder("a.tif")
    (folder / part / "a.tif").unlink()
    with pytest.raises(FileError, match=part):
        open_pairs(folder)
    (folder / part).rmdir()
    with pytest.raises(FileError, match=part):
        open_pairs(folder)


@pytest.mark.parametrize("shape", [(32, 31), (2, 32, 32)])
def test_partners_of_different_size(pairs_folder: Callable[..., Path], shape: tuple[int, ...]) -> None:
    folder = pairs_folder("a.tif")
    tifffile.imwrite(folder / "mitochondria" / "a.tif", np.ones(shape, np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="pairs of one size"):
        open_pairs(folder)


@pytest.mark.parametrize(
    ("name", "acquisition"),
    [
        ("x_TL_009_t001_z005_10.png", "x_TL_009"),
        ("x_TL_009_t001_z005.tif", "x_TL_009"),
        ("x_TL_009_T001.ome.tif", "x_TL_009"),
        ("v_002_visit_10017_0.png", "v_002_visit_10017"),
        ("cell_7.tif", "cell"),
        ("dose_0.5_field_TL_3_z2.tif", "dose_0.5_field_TL_3"),
        ("plain.zarr", "plain"),
    ],
)
def test_acquisition_is_the_name_without_time_depth_and_crop(name: str, acquisition: str) -> None:
    assert acquisition_names([name, "other_1.tif"])[name] == acquisition


def test_files_that_only_differ_in_number_are_fields_of_view() -> None:
    assert acquisition_names(["img_1.tif", "img_2.tif"]) == {"img_1.tif": "img_1", "img_2.tif": "img_2"}
    assert acquisition_names(["dose_0.1_1.tif", "dose_0.1_2.tif"]) == {
        "dose_0.1_1.tif": "dose_0.1_1",
        "dose_0.1_2.tif": "dose_0.1_2",
    }


def test_times_and_depths_of_one_field_are_one_acquisition() -> None:
    names = ["x_TL_009_t001_z005_10.png", "x_TL_009_t001_z005_11.png", "x_TL_009_t025_z006_1.png"]
    assert set(acquisition_names(names).values()) == {"x_TL_009"}


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=2, max_size=40).filter(lambda n: len({*n}) > 1),
    st.integers(0, 1000),
)
def test_split_by_acquisition_never_shares_one(acquisitions: list[str], seed: int) -> None:
    pairs = pairs_of(*acquisitions)
    training, validation = split_pairs(pairs, TrainSettings(epochs=1, seed=seed))
    assert not names_of(training) & names_of(validation)
    assert len(training) + len(validation) == len(pairs)
    assert training
    assert validation


def test_a_tenth_of_the_acquisitions_is_held_out_by_the_seed() -> None:
    pairs = pairs_of(*(f"field {number}" for number in range(30)))
    held = [names_of(split_pairs(pairs, TrainSettings(epochs=1, seed=seed))[1]) for seed in (0, 0, 1)]
    assert len(held[0]) == 3
    assert held[0] == held[1]
    assert held[0] != held[2]


def test_a_single_acquisition_is_trained_on() -> None:
    training, validation = split_pairs(pairs_of("a", "a"), TrainSettings(epochs=1))
    assert (len(training), len(validation)) == (2, 0)


@pytest.mark.parametrize(
    ("holdout", "expected"),
    [(("TL_009",), {"x_TL_009"}), (("x_TL_010", "9"), {"x_TL_009", "x_TL_010"}), ((), set())],
)
def test_acquisitions_are_held_out_by_the_end_of_their_name(holdout: tuple[str, ...], expected: set[str]) -> None:
    pairs = pairs_of("x_TL_009", "x_TL_010", "x_TL_011", "x_TL_009")
    training, validation = split_pairs(pairs, TrainSettings(epochs=1, holdout=holdout))
    assert names_of(validation) == expected
    assert names_of(training) == {"x_TL_009", "x_TL_010", "x_TL_011"} - expected


def test_unknown_holdout_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"among a, b, got 'TL_099'"):
        split_pairs(pairs_of("a", "b"), TrainSettings(epochs=1, holdout=("a", "TL_099")))


def test_holding_out_everything_is_refused() -> None:
    with pytest.raises(TrainingError, match="all of them held out"):
        split_pairs(pairs_of("a", "b"), TrainSettings(epochs=1, holdout=("a", "b")))


def test_split_by_patch_leaves_out_a_fifth_and_leaks() -> None:
    pairs = pairs_of(*["a"] * 10, *["b"] * 10)
    training, validation = split_pairs(pairs, TrainSettings(epochs=1, split="patch"))
    assert (len(training), len(validation)) == (16, 4)
    assert names_of(training) & names_of(validation)


def test_pairs_are_measured_over_the_scope_of_their_weights() -> None:
    random = np.random.default_rng(0)
    pairs = [replace(pair, target=random.random((8, 8), np.float32) + n) for n, pair in enumerate(pairs_of(*"aab"))]
    assert [pair.measured for pair in measured_pairs(measured_pairs(pairs, "plane"), "patch")] == [None] * 3
    assert [pair.measured for pair in measured_pairs(pairs, "plane")] == [statistics(pair.target) for pair in pairs]
    together = statistics(np.stack([pairs[0].target, pairs[1].target]))
    measured = [pair.measured for pair in measured_pairs(pairs, "stack")]
    assert measured[0] == measured[1]
    assert measured[2] == statistics(pairs[2].target)
    # float64 sums in another order
    assert (measured[0].mean, measured[0].std) == pytest.approx((together.mean, together.std), rel=1e-12)
