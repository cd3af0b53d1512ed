"""Split pairs so that no field of view trains and validates, unless the paper's way is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.training.blocks import split_in_blocks
from napari_mitostain.training.pair import Pair


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs to learn from, to choose the best model by, and to score that model on once.

    Attributes
    ----------
    training, validation, test : list of Pair
    sentence : str
        How they were split, for the report.
    """

    training: list[Pair]
    validation: list[Pair] = field(default_factory=list)
    test: list[Pair] = field(default_factory=list)
    sentence: str = ""


def split_pairs(pairs: Sequence[Pair], settings: TrainSettings) -> Split:
    """Split pairs into training, validation and test.

    Parameters
    ----------
    pairs : sequence of Pair
    settings : TrainSettings
        "acquisition" leaves out whole acquisitions: those of `holdout`, or some chosen by the seed that come as close
        to the shares as whole acquisitions can. A single acquisition is cut into blocks of time, of depth or, if it is
        one plane, of space, with a gap between; later blocks validate. "patch" leaves out single pairs, as the paper
        does, and leaks: pairs of one field lie on both sides.

    Raises
    ------
    TrainingError
        If an acquisition to hold out does not exist, or nothing is left to train on.
    """
    acquisitions = sorted({pair.acquisition for pair in pairs})
    if settings.split == "patch":
        split = _by_pair(pairs, settings)
    elif settings.holdout is None and len(acquisitions) == 1:
        split = Split(*split_in_blocks(pairs, settings))
    else:
        split = _by_acquisition(pairs, acquisitions, settings)
    if not split.training:
        raise TrainingError("Expected pairs left to train on, got all of them held out; hold out fewer acquisitions.")
    return split


def _by_pair(pairs: Sequence[Pair], settings: TrainSettings) -> Split:
    held, tested = (int(len(pairs) * share) for share in (settings.validation_share, settings.test_share))
    order = np.random.default_rng(settings.seed).permutation(len(pairs)).tolist()
    validation, test = {*order[:held]}, {*order[held : held + tested]}
    return Split(
        [pair for number, pair in enumerate(pairs) if number not in validation | test],
        [pairs[number] for number in sorted(validation)],
        [pairs[number] for number in sorted(test)],
        "Split by patch: pairs of one field train and validate, so validation scores are too good.",
    )


def _by_acquisition(pairs: Sequence[Pair], acquisitions: list[str], settings: TrainSettings) -> Split:
    random = np.random.default_rng(settings.seed)
    sizes = {
        name: sum(pair.acquisition == name for pair in pairs) for name in random.permutation(acquisitions).tolist()
    }
    if settings.holdout is None:
        held = _drawn(sizes, settings.validation_share, kept=2 if settings.test_share > 0 else 1)
    else:
        held = {name for wanted in settings.holdout for name in _named(wanted, acquisitions)}
    left = {name: size for name, size in sizes.items() if name not in held}
    tested = _drawn(left, settings.test_share * sum(sizes.values()) / max(1, sum(left.values())))
    return Split(
        [pair for pair in pairs if pair.acquisition not in held | tested],
        [pair for pair in pairs if pair.acquisition in held],
        [pair for pair in pairs if pair.acquisition in tested],
        _sentence(sorted(held), sorted(tested)),
    )


def _drawn(sizes: dict[str, int], share: float, kept: int = 1) -> set[str]:
    """Choose acquisitions that together make up no more than a share of the pairs, or else the smallest one.

    `kept` is how many are left for other uses.
    """
    if share <= 0 or len(sizes) < 2:
        return set()
    room, chosen = round(share * sum(sizes.values())), set[str]()
    for name, size in sizes.items():
        if size <= room and len(chosen) < len(sizes) - min(kept, len(sizes) - 1):
            chosen.add(name)
            room -= size
    return chosen or {min(sizes, key=lambda name: sizes[name])}


def _named(wanted: str, acquisitions: list[str]) -> set[str]:
    found = {wanted} & set(acquisitions) or {name for name in acquisitions if name.endswith(wanted)}
    if not found:
        raise TrainingError(
            f"Expected an acquisition among {', '.join(acquisitions)}, got {wanted!r}; choose one of them."
        )
    return found


def _sentence(held: list[str], tested: list[str]) -> str:
    if not held:
        said = "No acquisition is held out: this run has no validation scores"
    else:
        said = f"Split by acquisition: {', '.join(held)} validate{'s' if len(held) == 1 else ''}"
    if tested:
        said += f", {', '.join(tested)} test{'s' if len(tested) == 1 else ''} the best model"
    return f"{said}."
