"""Presets: settings that stand for what their titles say."""

from __future__ import annotations

import pytest

from napari_mitostain.training.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_by_their_names_and_say_what_they_are(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.title
    assert preset.summary.endswith(".")


def test_quick_takes_minutes() -> None:
    assert next(iter(PRESETS)) == "quick"
    minutes = PRESETS["quick"].settings.minutes
    assert minutes is not None
    assert minutes < 10


def test_paper_is_the_papers() -> None:
    settings = PRESETS["paper"].settings
    assert (settings.epochs, settings.crops_per_frame, settings.minimum_area, settings.patch) == (200, 25, 0.2, 256)
    assert (settings.split, settings.validation_share, settings.test_share) == ("patch", 0.2, 0.1)
    assert "split of whole pairs at random" in PRESETS["paper"].summary
    assert (settings.weight_l1, settings.schedule, settings.ema) == (100, "constant", 0)
    assert (settings.generator_loss, settings.discriminator, settings.discriminator_loss) == ("tn", "unet", "mse")
    assert not settings.turns
    assert not settings.intensity
