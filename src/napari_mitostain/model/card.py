"""The card of a model: what it is, what it was trained on, how well it does, what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from napari_mitostain.config import ScalingSettings, WeightSettings, require_above_zero, require_whole
from napari_mitostain.errors import ModelError, clause
from napari_mitostain.events import finite_or_none, infinite_for_none

FORMAT = "mitostain-model/1"

SAME_SIZE = 0.05
"""Pixel sizes that differ by no more are the same for a generator that saw cells of all sizes."""

_DEEPEST = 12
"""Halvings beyond it leave nothing of any plane."""


@dataclass(frozen=True)
class Card:
    """Everything about a model but its weights.

    Attributes
    ----------
    name, summary : str
    base_channels, depth : int
        Of the generator.
    pixel_size_um : float, optional
        Side of a pixel in the training images, in micrometres.
    scaling : ScalingSettings
        How brightfield planes are scaled before the generator sees them.
    weighting : WeightSettings
        Of the TN loss it was trained with.
    training : mapping
        The settings of its run, or of each of its stages by name.
    data : tuple of mapping
        Training data sets: "name", "source", "licence".
    scores : mapping of str to mapping
        From what was scored (a left-out series, their mean, a baseline) to "ssim", "psnr", "pearson", "detail_pearson".
    limits : str
        What its stains must not be taken for.
    licence : str
    """

    name: str
    summary: str = ""
    base_channels: int = 16
    depth: int = 4
    pixel_size_um: float | None = None
    scaling: ScalingSettings = field(default_factory=ScalingSettings)
    weighting: WeightSettings = field(default_factory=WeightSettings)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Mapping[str, str], ...] = ()
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    limits: str = "Digitally predicted: relative intensity, not quantitative fluorescence."
    licence: str = ""

    def to_json(self) -> str:
        """Return the card as a JSON document; None stands for an infinite score, such as the PSNR of equal images."""
        return json.dumps({"format": FORMAT} | finite_or_none(asdict(self)), indent=2)

    def to_text(self) -> str:
        """Return the card for reading."""
        size = f"{self.pixel_size_um * 1000:.0f} nm" if self.pixel_size_um else "unknown"
        lines = [
            self.name,
            self.summary,
            "",
            f"Pixel size: {size}",
            f"Licence: {self.licence or 'not stated'}",
            "Trained on:",
        ]
        lines += [f"  {entry['name']} ({entry['licence']}): {entry['source']}" for entry in self.data] or [
            "  not stated"
        ]
        if self.scores:
            lines += ["", f"{'Scores':<22} {'SSIM':>7} {'PSNR':>7} {'Pearson':>8} {'detail':>7}"]
            lines += [_score_line(name, scores) for name, scores in self.scores.items()]
        return "\n".join([*lines, "", self.limits])

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> Card:
        """Read a card; `source` names it in errors.

        Raises
        ------
        ModelError
            If the text is no card of this format.
        """
        try:
            values = json.loads(text)
            found = values.pop("format", None) if isinstance(values, dict) else None
            if found != FORMAT:
                raise ValueError(f"format {found!r}")
            values["scaling"] = ScalingSettings.from_dict(values["scaling"])
            values["weighting"] = WeightSettings.from_dict(values["weighting"])
            values["data"] = tuple(values["data"])
            values["scores"] = infinite_for_none(values.get("scores", {}))
            known = {f.name for f in fields(cls)}
            card = cls(**{name: value for name, value in values.items() if name in known})
            require_whole("base_channels", card.base_channels, 1)
            require_whole("depth", card.depth, 1)
            if card.depth > _DEEPEST:
                raise ValueError(f"a depth of {card.depth}")
            if not isinstance(card.licence, str):
                raise TypeError(f"a licence {card.licence!r}")
            if card.pixel_size_um is not None:
                require_above_zero("pixel_size_um", card.pixel_size_um)
            card.to_text()  # a card that cannot be shown lacks something
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(
                f"Expected a model card of format {FORMAT} in {source}, got one with a fault ({clause(error)}); "
                "save or download the model again."
            ) from error
        return card


def _score_line(name: str, scores: Mapping[str, float]) -> str:
    values = f"{scores['ssim']:7.3f} {scores['psnr']:7.2f} {scores['pearson']:8.3f} {scores['detail_pearson']:7.3f}"
    return f"  {name:<20} {values}"
