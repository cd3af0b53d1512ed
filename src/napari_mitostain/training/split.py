"""Split pairs so that no field of view trains and validates, unless the paper's way is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.training.pair import Pair


def split_pairs(pairs: Sequence[Pair], settings: TrainSettings) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into training and validation.

    Parameters
    ----------
    pairs : sequence of Pair
    settings : TrainSettings
        "acquisition" leaves out whole acquisitions, those of `holdout` or a part of them (at least one of several);
        "patch" leaves out single pairs, as the paper does, and leaks: pairs of one field lie on both sides.

    Raises
    ------
    TrainingError
        If an acquisition to hold out does not exist, or nothing is left to train on.
    """
    if settings.split == "patch":
        count = int(len(pairs) * settings.validation_share)
        left_out = set(np.random.default_rng(settings.seed).permutation(len(pairs))[:count].tolist())
        validation = [number in left_out for number in range(len(pairs))]
    else:
        held = _held_out(sorted({pair.acquisition for pair in pairs}), settings)
        validation = [pair.acquisition in held for pair in pairs]
    training = [pair for pair, out in zip(pairs, validation, strict=True) if not out]
    if not training:
        raise TrainingError("Expected pairs left to train on, got all of them held out; hold out fewer acquisitions.")
    return training, [pair for pair, out in zip(pairs, validation, strict=True) if out]


def _held_out(acquisitions: list[str], settings: TrainSettings) -> set[str]:
    if settings.holdout is None:
        count = max(1, int(len(acquisitions) * settings.validation_share)) if len(acquisitions) > 1 else 0
        return set(np.random.default_rng(settings.seed).permutation(acquisitions)[:count].tolist())
    held = set()
    for wanted in settings.holdout:
        found = {name for name in acquisitions if name.endswith(wanted)}
        if not found:
            raise TrainingError(
                f"Expected an acquisition among {', '.join(acquisitions)}, got {wanted!r}; choose one of them."
            )
        held |= found
    return held
