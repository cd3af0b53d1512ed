"""One look at every pair before training: what is wrong with it, and what its weights and crops are drawn by."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from napari_mitostain.config import Scope
from napari_mitostain.events import Event, Measured
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.weighting import Statistics, merged, statistics

_LISTED = 10
"""Pairs that are named in a message at most."""


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What was measured of one pair.

    Attributes
    ----------
    target : Statistics
        Of its whole target.
    is_finite : bool
    is_constant : bool
        Whether its brightfield shows nothing.
    """

    target: Statistics
    is_finite: bool
    is_constant: bool


def survey(pairs: Sequence[Pair], frames: Frames) -> Generator[Event, None, list[PairFacts]]:
    """Read every pair once and return its facts.

    Parameters
    ----------
    pairs : sequence of Pair
    frames : Frames
        Keeps what was read, as far as memory allows.

    Yields
    ------
    Measured
        After each pair; a place to stop at.
    """
    facts = []
    for pair in pairs:
        frame = frames[pair]
        facts.append(PairFacts(statistics(frame.target), frame.is_finite, not frame.brightfield.any()))
        yield Measured(done=len(facts), total=len(pairs))
    return facts


def measured_pairs(pairs: Sequence[Pair], facts: Sequence[PairFacts], scope: Scope) -> list[Pair]:
    """Give each pair the statistics that its weights are to use.

    Parameters
    ----------
    pairs : sequence of Pair
    facts : sequence of PairFacts
    scope : {"patch", "plane", "stack"}
        "plane" measures each target, "stack" all targets of an acquisition; "patch" is measured patch by patch, later.
    """
    if scope == "patch":
        return [replace(pair, measured=None) for pair in pairs]
    own = [fact.target for fact in facts]
    if scope == "stack":
        together = {
            name: merged([one for one, pair in zip(own, pairs, strict=True) if pair.acquisition == name])
            for name in {pair.acquisition for pair in pairs}
        }
        own = [together[pair.acquisition] for pair in pairs]
    return [replace(pair, measured=measured) for pair, measured in zip(pairs, own, strict=True)]


def flaws(pairs: Sequence[Pair], facts: Sequence[PairFacts]) -> list[str]:
    """Say which pairs there is little to learn from."""
    found = {
        "have pixels that are not finite, for which the median of the others stands in": [
            pair.name for pair, fact in zip(pairs, facts, strict=True) if not fact.is_finite
        ],
        "have a constant brightfield, from which nothing can be learnt": [
            pair.name for pair, fact in zip(pairs, facts, strict=True) if fact.is_constant
        ],
    }
    return [f"{len(names)} pair(s) {flaw}: {_listed(names)}." for flaw, names in found.items() if names]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
