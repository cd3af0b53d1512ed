"""Presets of training: settings that belong together, under a name. All their numbers stand here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_mitostain.config import TrainSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings to start from.

    Attributes
    ----------
    name : str
        For the command line.
    title, summary : str
        For a form: what it is, and when to take it.
    settings : TrainSettings
    adapts : bool
        Whether it is too short for a generator that knows nothing.
    """

    name: str
    title: str
    summary: str
    settings: TrainSettings
    adapts: bool = False


_QUICK = TrainSettings(
    minutes=8,
    batch_size=4,
    patch=192,
    crops_per_frame=4,
    minimum_area=0.05,
    learning_rate=1e-3,
    schedule="cosine",
    ema=0.98,
    match_brightness=True,
    discriminator_loss="none",
    weight_correlation=2.0,
)

_THOROUGH = TrainSettings(
    epochs=100,
    batch_size=4,
    patch=256,
    crops_per_frame=8,
    minimum_area=0.05,
    learning_rate=5e-4,
    schedule="cosine",
    clip_gradients=1.0,
    ema=0.999,
    match_brightness=True,
    discriminator="unet",
    discriminator_loss="mse",
    weight_correlation=2.0,
)

_PAPER = TrainSettings(
    epochs=200,
    batch_size=4,
    patch=256,
    crops_per_frame=25,
    minimum_area=0.2,
    turns=False,
    intensity=False,
    learning_rate=2e-4,
    schedule="constant",
    ema=0.0,
    generator_loss="tn",
    discriminator="unet",
    discriminator_loss="mse",
    weight_l1=100.0,
    split="patch",
    validation_share=0.2,
    test_share=0.1,
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                "quick",
                "Quick",
                "Adapts a model to your pairs within minutes, on a processor too.",
                _QUICK,
                adapts=True,
            ),
            Preset(
                "thorough",
                "Thorough",
                "Trains against a discriminator for as long as it takes: hours on a processor, much less on a GPU.",
                _THOROUGH,
            ),
            Preset(
                "paper",
                "As in the paper",
                "Somani et al., BVM 2021: 25 crops a frame, no crop with under 20 % mitochondria, 70/20/10 split of "
                "whole pairs at random (crops or times of one field in several parts leak), 200 epochs, λ = 100, no "
                "augmentation; best on a GPU.",
                _PAPER,
            ),
        )
    }
)
"""By name, the quickest first."""
