"""Splits: no field of view trains and validates, nothing is lost, and the report says how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import SettingsError, TrainingError
from napari_mitostain.training.pair import Pair, pair_of_arrays
from napari_mitostain.training.split import Split, split_pairs

FLAT = np.zeros((4, 4), np.float32)
ONE = TrainSettings(epochs=1)


def pairs_of(*acquisitions: str) -> list[Pair]:
    return [pair_of_arrays(f"{number}", name, FLAT, FLAT) for number, name in enumerate(acquisitions)]


def names_of(pairs: list[Pair]) -> set[str]:
    return {pair.acquisition for pair in pairs}


def sizes(split: Split) -> tuple[int, int, int]:
    return len(split.training), len(split.validation), len(split.test)


several = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=40).filter(lambda names: len({*names}) > 1)


@given(several, st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([0.0, 0.1, 0.4]))
def test_split_by_acquisition_shares_none_and_loses_none(
    acquisitions: list[str], seed: int, validation_share: float, test_share: float
) -> None:
    pairs = pairs_of(*acquisitions)
    split = split_pairs(pairs, replace(ONE, seed=seed, validation_share=validation_share, test_share=test_share))
    parts = [names_of(part) for part in (split.training, split.validation, split.test)]
    assert sum(map(len, parts)) == len({*acquisitions})
    assert sorted(pair.name for part in (split.training, split.validation, split.test) for pair in part) == sorted(
        pair.name for pair in pairs
    )
    assert split.training
    assert split.validation
    assert bool(split.test) == (test_share > 0 and len({*acquisitions}) > 2)
    assert all(name in split.sentence for name in parts[1] | parts[2])


def test_a_fifth_of_the_acquisitions_is_held_out_by_the_seed() -> None:
    pairs = pairs_of(*(f"field {number}" for number in range(30)))
    held = [names_of(split_pairs(pairs, replace(ONE, seed=seed)).validation) for seed in (0, 0, 1)]
    assert len(held[0]) == 6
    assert held[0] == held[1]
    assert held[0] != held[2]


@pytest.mark.parametrize("seed", range(10))
def test_an_acquisition_that_is_most_of_the_pairs_trains(seed: int) -> None:
    split = split_pairs(pairs_of(*["large"] * 20, *["small"] * 3), replace(ONE, seed=seed))
    assert names_of(split.validation) == {"small"}


def test_share_of_nothing_holds_nothing_out() -> None:
    split = split_pairs(pairs_of("a", "b"), replace(ONE, validation_share=0.0))
    assert sizes(split) == (2, 0, 0)
    assert "no validation scores" in split.sentence


@pytest.mark.parametrize(
    ("holdout", "expected"),
    [(("TL_009",), {"x_TL_009"}), (("x_TL_010", "9"), {"x_TL_009", "x_TL_010"}), ((), set())],
)
def test_acquisitions_are_held_out_by_the_end_of_their_name(holdout: tuple[str, ...], expected: set[str]) -> None:
    pairs = pairs_of("x_TL_009", "x_TL_010", "x_TL_011", "x_TL_009")
    split = split_pairs(pairs, replace(ONE, holdout=holdout))
    assert names_of(split.validation) == expected
    assert names_of(split.training) == {"x_TL_009", "x_TL_010", "x_TL_011"} - expected


def test_acquisition_of_exactly_the_name_is_held_out_and_no_other_that_ends_alike() -> None:
    names = [str(number) for number in range(1, 23)]
    split = split_pairs(pairs_of(*names), replace(ONE, holdout=("2",)))
    assert names_of(split.validation) == {"2"}


def test_holdout_is_no_text() -> None:
    with pytest.raises(SettingsError, match=r"Expected a tuple of names as holdout, got '12'; write \('12',\)"):
        replace(ONE, holdout="12")


def test_what_is_held_out_by_name_does_not_test() -> None:
    split = split_pairs(pairs_of("a", "b", "c"), replace(ONE, holdout=("a",), test_share=0.3))
    assert names_of(split.validation) == {"a"}
    assert sizes(split) == (1, 1, 1)


def test_unknown_holdout_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"among a, b, got 'TL_099'"):
        split_pairs(pairs_of("a", "b"), replace(ONE, holdout=("a", "TL_099")))


@pytest.mark.parametrize("acquisitions", ["a", "ab"])
def test_holding_out_everything_is_refused(acquisitions: str) -> None:
    with pytest.raises(TrainingError, match="all of them held out"):
        split_pairs(pairs_of(*acquisitions), replace(ONE, holdout=tuple(acquisitions)))


def test_split_by_patch_leaves_out_shares_leaks_and_says_so() -> None:
    pairs = pairs_of(*["a"] * 10, *["b"] * 10)
    split = split_pairs(pairs, replace(ONE, split="patch", test_share=0.1))
    assert sizes(split) == (14, 4, 2)
    assert len({pair.name for part in (split.training, split.validation, split.test) for pair in part}) == 20
    assert names_of(split.training) & names_of(split.validation)
    assert "too good" in split.sentence
