"""What a run came to: the card of its model, and whether training helped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_mitostain.model.card import Card
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.run_config import RunConfig

Scores = Mapping[str, float]

_NOTHING = 0.005
"""A difference of scores that is no difference."""

_NOT_STATED = "not stated"

_FEW = 5
"""Validation pairs, often of one field of view, whose scores say little of others."""


def card_of(
    name: str, config: RunConfig, training: list[Pair], steps: int, scores: Mapping[str, Scores], verdict: str
) -> Card:
    """Fill in the card of a run's generator.

    Parameters
    ----------
    name : str
    config : RunConfig
    training : list of Pair
        That it learnt from.
    steps : int
    scores : mapping
        From "validation", "start", "constant", "variance", "ceiling", "test" to scores, as far as known.
    verdict : str
        See `verdict_of`.
    """
    settings = config.settings
    learnt = f"Trained on {len(training)} pairs for {steps} steps" + (f" from {config.init}." if config.init else ".")
    acquisitions = len({pair.acquisition for pair in training})
    own = {
        "name": f"{Path(config.source).name}, {len(training)} pair(s) of {acquisitions} acquisition(s)",
        "source": config.source,
        "licence": _NOT_STATED,
    }
    return Card(
        name=name,
        summary=f"{learnt} {verdict}".strip(),
        base_channels=settings.base_channels,
        depth=settings.depth,
        pixel_size_um=settings.pixel_size_um,
        scaling=config.scaling,
        weighting=settings.weighting,
        training=settings.to_dict(),
        data=(own, *config.init_data),
        scores=scores,
        licence=_licence_of(config),
    )


def _licence_of(config: RunConfig) -> str:
    """Say which licences the weights carry from what the starting model learnt from; of the user's own data nothing."""
    stated = dict.fromkeys(entry["licence"] for entry in config.init_data if entry["licence"] != _NOT_STATED)
    return f"{', '.join(stated)}, from the training data of {config.init}" if stated else ""


def verdict_of(scores: Mapping[str, Scores], init: str, images: int) -> str:
    """Say in one sentence whether training helped; nothing where nothing was validated.

    Parameters
    ----------
    scores : mapping
        "validation" of the best epoch, "start" where there was a starting model, and "variance".
    init : str
        Name of that model.
    images : int
        That validated.
    """
    best, start, trivial = (scores.get(name) for name in ("validation", "start", "variance"))
    if best is None:
        return ""
    where = "the validation pair" if images == 1 else f"{images} validation pairs"
    said = [f"Pearson {best['pearson']:.3f} and detail {best['detail_pearson']:.3f} on {where}"]
    if start is not None:
        said.append(f"against {start['pearson']:.3f} and {start['detail_pearson']:.3f} of {init or 'the start'}")
    if trivial is not None:
        said.append(f"{trivial['pearson']:.3f} and {trivial['detail_pearson']:.3f} of the brightfield's variance")
    doubt = " So few pairs prove little." if images < _FEW else ""
    return f"{_helped(best, start, trivial)}: {', '.join(said)}.{doubt}"


def _helped(best: Scores, start: Scores | None, trivial: Scores | None) -> str:
    verb, other = ("Fine-tuning", start) if start is not None else ("Training", trivial)
    if other is None:
        return f"{verb} is done"
    gains = {title: best[name] - other[name] for title, name in (("Pearson", "pearson"), ("detail", "detail_pearson"))}
    helped = [title for title, gain in gains.items() if gain > _NOTHING]
    cost = [title for title, gain in gains.items() if gain < -_NOTHING]
    if len(helped) != 1:
        return f"{verb} helped" if helped else f"{verb} did not help"
    return f"{verb} helped in {helped[0]} only" + (f", at the cost of {cost[0]}" if cost else "")
