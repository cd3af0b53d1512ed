"""The arithmetic of the reproduction: means, paired differences with their intervals, quartiles, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

SCORES = {"ssim": "SSIM", "psnr": "PSNR (dB)", "pearson": "Pearson", "detail_pearson": "detail"}
LOSSES = {
    "tn": "TN", "l1": "L1", "dice-bce": "Dice + BCE", "jaccard": "Jaccard", "focal": "focal", "mse": "MSE", "none": "none",
}  # fmt: skip
PAPER = {
    "l1": {"dice-bce": 0.329, "jaccard": 0.392, "focal": 0.406, "mse": 0.429},
    "tn": {"dice-bce": 0.521, "jaccard": 0.588, "focal": 0.652, "mse": 0.687},
}
"""SSIM of the paper's Table 1."""

Row = dict[str, Any]
"""A cell in one repeat: its losses, and under "scores" the mean over planes of each score for stain and baselines."""


class Interval(NamedTuple):
    """A mean with the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class Quartiles(NamedTuple):
    """What a box plot shows: the whiskers end at the last value within 1.5 interquartile ranges of the box."""

    low: float
    first: float
    median: float
    third: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent repeats with its interval by Student's t; endless for a single one."""
    middle = mean(values)
    half = float("inf")
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return Interval(middle, middle - half, middle + half)


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the five numbers of a box plot."""
    ordered = np.sort(values)
    first, median, third = np.percentile(ordered, (25, 50, 75)).tolist()
    reach = 1.5 * (third - first)
    within = ordered[(ordered >= first - reach) & (ordered <= third + reach)]
    return Quartiles(float(within[0]), first, median, third, float(within[-1]))


def averaged(result: Row) -> Row:
    """Replace the scores of every plane by their means."""
    means = {row: {name: mean(values) for name, values in scores.items()} for row, scores in result["scores"].items()}
    return result | {"scores": means}


def table(rows: Sequence[Row]) -> str:
    """Lay out Table 1: means over the repeats with their standard deviations, the paper's SSIM, the baselines."""
    lines = _head("discriminator loss", "generator loss", "paper's SSIM", *SCORES.values())
    for discriminator in LOSSES:
        for generator in PAPER:
            if same := _of(rows, generator, discriminator):
                paper = PAPER[generator].get(discriminator)
                told = LOSSES[discriminator], LOSSES[generator], "" if paper is None else f"{paper:.3f}"
                lines.append(_line(*told, *(_spread(_values(same, "stain", name), name) for name in SCORES)))
    first = rows and [row for row in rows if _kind(row) == _kind(rows[0])]
    for baseline in ("constant", "variance", "ceiling"):
        lines.append(_line(baseline, "", "", *(_spread(_values(first, baseline, name), name) for name in SCORES)))
    return "\n".join(lines) + "\n"


def differences(rows: Sequence[Row]) -> str:
    """Lay out TN - L1 for each discriminator loss, paired by repeats, and over all of them that the paper has."""
    lines = _head("discriminator loss", "paper's SSIM", *SCORES.values())
    kinds = [name for name in LOSSES if _of(rows, "tn", name) and _of(rows, "l1", name)]
    for name in kinds:
        gain = f"{PAPER['tn'][name] - PAPER['l1'][name]:+.3f}" if name in PAPER["tn"] else ""
        lines.append(_line(LOSSES[name], gain, *_paired(_of(rows, "tn", name), _of(rows, "l1", name))))
    if four := [name for name in kinds if name in PAPER["tn"]]:
        gain = mean(PAPER["tn"][name] - PAPER["l1"][name] for name in four)
        both = ([row for name in four for row in _of(rows, generator, name)] for generator in ("tn", "l1"))
        lines.append(_line("**mean**", f"{gain:+.3f}", *_paired(*both)))
    return "\n".join(lines) + "\n"


def against_mse(rows: Sequence[Row]) -> str:
    """Lay out MSE - each other discriminator loss, paired by repeats, under both generator losses."""
    lines = _head("MSE minus", "generator loss", "paper's SSIM", *SCORES.values())
    for generator, figures in PAPER.items():
        best = _of(rows, generator, "mse")
        for other in (name for name in LOSSES if name != "mse"):
            if same := best and _of(rows, generator, other):
                gain = f"{figures['mse'] - figures[other]:+.3f}" if other in figures else ""
                lines.append(_line(LOSSES[other], LOSSES[generator], gain, *_paired(best, same)))
    return "\n".join(lines) + "\n"


def quartile_table(groups: dict[str, dict[str, list[float]]]) -> str:
    """Lay out the medians and quartiles of Fig. 4."""
    scores = [name for name in SCORES if name in next(iter(groups.values()))]
    lines = _head("", "planes", *(SCORES[name] for name in scores))
    for group, values in groups.items():
        boxes = {name: quartiles(values[name]) for name in scores}
        told = (f"{_number(b.median, n)} ({_number(b.first, n)} to {_number(b.third, n)})" for n, b in boxes.items())
        lines.append(_line(group, str(len(values[scores[0]])), *told))
    return "\n".join(lines) + "\n"


def _paired(first: Sequence[Row], second: Sequence[Row]) -> list[str]:
    """Return the mean difference of each score with its interval; several rows of a repeat count as their mean."""
    return [_interval(interval(paired(first, second, name)), name) for name in SCORES]


def paired(first: Sequence[Row], second: Sequence[Row], score: str) -> list[float]:
    """Return the difference of a score of the stains, one for each repeat that both have."""
    means: list[Callable[[str], float]] = [
        lambda repeat, rows=rows: mean(_values([row for row in rows if row["repeat"] == repeat], "stain", score))
        for rows in (first, second)
    ]
    shared = {row["repeat"] for row in first} & {row["repeat"] for row in second}
    return [means[0](repeat) - means[1](repeat) for repeat in sorted(shared)]


def _kind(row: Row) -> tuple[str, str]:
    return row["generator_loss"], row["discriminator_loss"]


def _of(rows: Sequence[Row], generator: str, discriminator: str) -> list[Row]:
    return [row for row in rows if _kind(row) == (generator, discriminator)]


def _values(rows: Sequence[Row], source: str, score: str) -> list[float]:
    return [row["scores"][source][score] for row in rows]


def _spread(values: Sequence[float], score: str) -> str:
    spread = f" ± {_number(stdev(values), score)}" if len(values) > 1 else ""
    return _number(mean(values), score) + spread


def _interval(found: Interval, score: str) -> str:
    ends = (_number(end, score, "+") for end in (found.low, found.high))
    return f"{_number(found.mean, score, '+')} ({' to '.join(ends)})"


def _number(value: float, score: str, sign: str = "") -> str:
    return f"{value:{sign}.{2 if score == 'psnr' else 3}f}".replace("-", "−")


def _head(*columns: str) -> list[str]:
    return [_line(*columns), "|" + "---|" * len(columns)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
