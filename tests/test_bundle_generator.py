"""The script that makes the bundled generator: pre-training, what starts from it, what the card says of it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from napari_mitostain.config import SimulationSettings
from napari_mitostain.model.card import Card
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.training.run import RunFolder

SCRIPT = Path(__file__).parents[1] / "scripts" / "bundle_generator.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script with a recipe that takes a second, and with another place for the bundled model."""
    spec = importlib.util.spec_from_file_location("bundle_generator", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for stage in ("ALONE", "BEFORE", "AGAINST"):
        small = replace(getattr(module, stage), epochs=1, patch=32, base_channels=2, depth=2, minimum_area=0.0)
        monkeypatch.setattr(module, stage, replace(small, discriminator_loss="none"))
    monkeypatch.setattr(module, "CELLS", SimulationSettings(shape=(48, 48)))
    monkeypatch.setattr(module, "BUNDLED", tmp_path / "bundled")
    return module


def test_simulated_pairs_and_the_run_on_them_are_taken_as_they_are(script: ModuleType, tmp_path: Path) -> None:
    model = script.pretrained(tmp_path, 2)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "simulated").rglob("*.tif")}
    assert len(written) == 4
    assert script.pretrained(tmp_path, 2).sha256 == model.sha256
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "simulated").rglob("*.tif")} == written


def test_other_number_of_pairs_is_another_run(script: ModuleType, tmp_path: Path) -> None:
    summaries = [script.pretrained(tmp_path, count).card.summary for count in (2, 1)]
    assert [summary[:18] for summary in summaries] == ["Trained on 2 pairs", "Trained on 1 pairs"]


def test_real_pairs_are_learnt_from_what_was_learnt_before(
    script: ModuleType, tmp_path: Path, pairs_folder: Callable[..., Path]
) -> None:
    pairs, start = pairs_folder("TL_001_t1.tif", "TL_002_t1.tif", shape=(48, 48)), script.pretrained(tmp_path, 1)
    model = script.trained(pairs, tmp_path / "run", ("TL_001",), start)
    assert RunFolder(tmp_path / "run" / "alone").config().init_sha256 == start.sha256
    assert model.sha256 == load_model(tmp_path / "run" / "against").sha256
    with pytest.raises(SystemExit, match="new WORK"):
        script.trained(pairs, tmp_path / "run", ("TL_001",))


@pytest.mark.parametrize("simulated", [0, 120])
def test_card_names_the_simulated_cells_if_there_are_any(
    script: ModuleType, tmp_path: Path, tiny_model: Model, simulated: int
) -> None:
    script.save_bundled(tiny_model, {}, simulated)
    card: Card = load_model(tmp_path / "bundled" / "h9c2-omp25.safetensors").card
    assert ("pretrained" in card.training) == bool(simulated)
    assert [entry["licence"] for entry in card.data] == ["GPL-3.0", "BSD-3-Clause"][: 1 + bool(simulated)]
    assert not simulated or "120" in card.data[1]["name"]
