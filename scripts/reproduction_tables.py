"""The arithmetic of the reproduction: means, paired differences with their intervals, quartiles, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isfinite
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

SCORES = {"ssim": "SSIM", "psnr": "PSNR (dB)", "pearson": "Pearson", "detail_pearson": "detail"}
GENERATOR_LOSSES = {"tn": "TN", "l1": "L1"}
DISCRIMINATOR_LOSSES = {"dice-bce": "Dice + BCE", "jaccard": "Jaccard", "focal": "focal", "mse": "MSE", "none": "none"}
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
    for discriminator, generator in product(DISCRIMINATOR_LOSSES, GENERATOR_LOSSES):
        if same := _of(rows, generator, discriminator):
            told = DISCRIMINATOR_LOSSES[discriminator], GENERATOR_LOSSES[generator]
            paper = PAPER[generator].get(discriminator)
            lines.append(_line(*told, "" if paper is None else f"{paper:.3f}", *_spreads(same, "stain")))
    same = _of(rows, rows[0]["generator_loss"], rows[0]["discriminator_loss"])
    lines += [_line(name, "", "", *_spreads(same, name)) for name in ("constant", "variance", "ceiling")]
    return "\n".join(lines) + "\n"


def differences(rows: Sequence[Row]) -> str:
    """Lay out TN - L1 for each discriminator loss, paired by repeats, and their mean over the paper's four."""
    lines = _head("discriminator loss", "paper's SSIM", *SCORES.values())
    for name, title in DISCRIMINATOR_LOSSES.items():
        if both := _of(rows, "tn", name) and _of(rows, "l1", name):
            lines.append(_line(title, _gain(name), *_paired(_of(rows, "tn", name), both)))
    four = [row for row in rows if row["discriminator_loss"] in PAPER["tn"]]
    gain = mean(PAPER["tn"][name] - PAPER["l1"][name] for name in PAPER["tn"])
    tn, l1 = ([row for row in four if row["generator_loss"] == loss] for loss in GENERATOR_LOSSES)
    lines.append(_line("mean of the four", _signed(gain), *_paired(tn, l1)))
    return "\n".join(lines) + "\n"


def by_repeat(rows: Sequence[Row]) -> str:
    """Lay out TN - L1 in each repeat, the mean over the paper's four discriminator losses."""
    lines = _head("left out", "pairs", "steps", *SCORES.values())
    for name in dict.fromkeys(row["repeat"] for row in rows):
        four = [row for row in rows if row["repeat"] == name and row["discriminator_loss"] in PAPER["tn"]]
        tn, l1 = ([row for row in four if row["generator_loss"] == loss] for loss in GENERATOR_LOSSES)
        told = (_number(mean(paired(tn, l1, score)), score, "+") for score in SCORES)
        lines.append(_line(name, str(four[0]["pairs"]), str(four[0]["steps"]), *told))
    return "\n".join(lines) + "\n"


def against_mse(rows: Sequence[Row]) -> str:
    """Lay out MSE - each other discriminator loss, paired by repeats, under both generator losses."""
    lines = _head("MSE minus", "generator loss", "paper's SSIM", *SCORES.values())
    for (generator, title), other in product(GENERATOR_LOSSES.items(), DISCRIMINATOR_LOSSES):
        rest = _of(rows, generator, other)
        if rest and other != "mse":
            figures = PAPER[generator]
            gain = _signed(figures["mse"] - figures[other]) if other in figures else ""
            lines.append(_line(DISCRIMINATOR_LOSSES[other], title, gain, *_paired(_of(rows, generator, "mse"), rest)))
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


def paired(first: Sequence[Row], second: Sequence[Row], score: str) -> list[float]:
    """Return the difference of a score of the stains, one for each repeat that both have.

    Several rows of a repeat count as their mean.
    """
    one, other = _by_repeat(first, score), _by_repeat(second, score)
    return [one[repeat] - other[repeat] for repeat in one if repeat in other]


def _by_repeat(rows: Sequence[Row], score: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["repeat"], []).append(row["scores"]["stain"][score])
    return {repeat: mean(values) for repeat, values in found.items()}


def _of(rows: Sequence[Row], generator: str, discriminator: str) -> list[Row]:
    return [row for row in rows if (row["generator_loss"], row["discriminator_loss"]) == (generator, discriminator)]


def _gain(discriminator: str) -> str:
    """Return the paper's TN - L1, as far as it has one."""
    has_one = discriminator in PAPER["tn"]
    return _signed(PAPER["tn"][discriminator] - PAPER["l1"][discriminator]) if has_one else ""


def _spreads(rows: Sequence[Row], source: str) -> list[str]:
    return [_spread([row["scores"][source][score] for row in rows], score) for score in SCORES]


def _spread(values: Sequence[float], score: str) -> str:
    spread = f" ± {_number(stdev(values), score)}" if len(values) > 1 else ""
    return _number(mean(values), score) + spread


def _paired(first: Sequence[Row], second: Sequence[Row]) -> list[str]:
    return [_between(interval(paired(first, second, score)), score) for score in SCORES]


def _between(found: Interval, score: str) -> str:
    middle, low, high = (_number(value, score, "+") for value in found)
    return f"{middle} ({low} to {high})" if isfinite(found.high) else middle


def _signed(value: float) -> str:
    return _number(value, "ssim", "+")


def _number(value: float, score: str, sign: str = "") -> str:
    return f"{value:{sign}z.{2 if score == 'psnr' else 3}f}".replace("-", "−")


def _head(*columns: str) -> list[str]:
    return [_line(*columns), "|" + "---|" * len(columns)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
