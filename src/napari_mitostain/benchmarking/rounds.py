"""Contestants in turn, so that what else the machine does meets them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

Rounds = list[dict[str, float]]
"""For each round the seconds of each contestant."""


def timed(contestants: Mapping[str, Callable[[], object]], repeats: int) -> Rounds:
    """Run all contestants `repeats` times, after once without a clock."""
    return [{name: _seconds(run) for name, run in contestants.items()} for _ in range(repeats + 1)][1:]


def ratios(rounds: Rounds, ours: str) -> dict[str, float]:
    """Return the median seconds of each contestant, and the median over the rounds of ours over each other's."""
    result = {f"{name}_seconds": median(times[name] for times in rounds) for name in rounds[0]}
    for opponent in [name for name in rounds[0] if name != ours]:
        result[f"{ours}_over_{opponent}"] = median(times[ours] / times[opponent] for times in rounds)
    return result


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
