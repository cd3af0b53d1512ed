"""The script that makes the bundled generator: what each stage learns from, what the card and the table say."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

import bundle_generator
from cell_free import cell_free
from napari_mitostain.config import SimulationSettings
from napari_mitostain.evaluation.report import Report
from napari_mitostain.model.card import Card
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.scoring import Scores
from napari_mitostain.training.run import RunFolder


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script with a recipe that takes a second, and with another place for the bundled model."""
    for stage in ("BEFORE", "DARK", "REAL", "ALONE", "AGAINST"):
        small = replace(
            getattr(bundle_generator, stage), epochs=1, patch=32, base_channels=2, depth=2, minimum_area=0.0
        )
        monkeypatch.setattr(bundle_generator, stage, replace(small, discriminator_loss="none"))
    monkeypatch.setattr(bundle_generator, "BUNDLED", tmp_path / "bundled")
    return bundle_generator


def test_simulated_pairs_are_made_once(script: ModuleType, tmp_path: Path) -> None:
    asked = tmp_path / "simulated", 2, SimulationSettings(shape=(48, 48)), 7
    assert len(script.simulated(*asked)) == 2
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "simulated").rglob("*.tif")}
    script.simulated(*asked)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "simulated").rglob("*.tif")} == written


def test_a_series_that_is_left_out_trains_nothing_and_what_is_finished_is_taken_as_it_is(
    script: ModuleType, tmp_path: Path, tiny_model: Model, pairs_folder: Callable[..., Path]
) -> None:
    pairs, free = pairs_folder("TL_001_t1.tif", "TL_002_t1.tif", shape=(48, 48)), list(cell_free(1))
    start = script.finished(free, tmp_path / "first", script.BEFORE, None)
    model = script.trained(pairs, tmp_path / "run", "TL_001", start, free)
    runs = [RunFolder(tmp_path / "run" / stage) for stage in ("real", "against")]
    assert [run.config().init_sha256 for run in runs] == [start.sha256, load_model(runs[0].path).sha256]
    for run in runs:
        started = next(event for event in run.history() if event["event"] == "RunStarted")
        assert started["acquisitions"]["training"] == ["TL_002", "cell_free"]
    assert _weights(script.trained(pairs, tmp_path / "run", "TL_001", start, free)) == _weights(model)
    with pytest.raises(SystemExit, match="new WORK"):
        script.trained(pairs, tmp_path / "run", "TL_001", tiny_model, free)


def test_averaged_weights_lie_three_quarters_of_the_way_and_norms_have_their_own_statistics(
    script: ModuleType, tiny_model: Model
) -> None:
    end = Model(tiny_model.card, deepcopy(tiny_model.generator))
    with torch.no_grad():
        for weights in end.generator.parameters():
            weights += 4.0
    averaged = script.averaged(tiny_model, end, list(cell_free(1)))
    for first, between in zip(_weights(tiny_model), _weights(averaged), strict=True):
        assert between == pytest.approx(first + 3.0, abs=1e-5)
    norms = [module for module in averaged.generator.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(norm.num_batches_tracked > 1 for norm in norms)


def _weights(model: Model) -> list[float]:
    """One weight of each parameter."""
    return [float(weights.detach().flatten()[0]) for weights in model.generator.parameters()]


def report_of(*scores: tuple[str, float]) -> Report:
    """Planes of these names, each with one number for all its scores."""
    planes = {name: Scores(value, value, value, value) for name, value in scores}
    return Report(planes, dict.fromkeys(("constant", "variance", "ceiling"), Scores(0.5, 20.0, 0.0, 0.0)))


def test_intervals_take_crops_of_a_frame_as_one(script: ModuleType) -> None:
    alone = report_of(("a_t001_z001_1.tif", 0.1), ("a_t002_z001_4.tif", 0.5), ("a_t002_z002_4.tif", 0.9))
    twice = report_of(
        *[
            (f"a_{frame}_{crop}.tif", value)
            for frame, value in (("t001_z001", 0.1), ("t002_z001", 0.5), ("t002_z002", 0.9))
            for crop in range(8)
        ]
    )
    assert script.intervals(twice) == [pytest.approx(found) for found in script.intervals(alone)]
    mean, low, high = script.intervals(alone)[2]
    assert low < mean < high


def test_table_has_a_line_for_each_series_and_baseline(script: ModuleType) -> None:
    reports = {series: report_of((f"{series}_t1_1.tif", 0.25), (f"{series}_t2_1.tif", 0.75)) for series in ("A", "B")}
    lines = script.table(reports).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "**A** left out: stain",
        "A constant",
        "A variance",
        "A ceiling",
        "**B** left out: stain",
        "B constant",
        "B variance",
        "B ceiling",
        "**mean**: stain",
        "mean constant",
        "mean variance",
        "mean ceiling",
    ]
    assert lines[2].startswith("| **A** left out: stain | 0.500 (0.250 to 0.750) | 0.50 (0.25 to 0.75) |")
    assert lines[3] == "| A constant | 0.500 | 20.00 | 0.000 | 0.000 |"
    assert script.scores_of(reports)["mean of series"]["pearson"] == 0.5


def test_card_names_all_that_was_learnt_from(script: ModuleType, tmp_path: Path, tiny_model: Model) -> None:
    script.save_bundled(tiny_model, {})
    card: Card = load_model(tmp_path / "bundled" / "h9c2-omp25.safetensors").card
    assert list(card.training) == ["simulated", "dark", "real", "against"]
    assert [entry["licence"] for entry in card.data] == ["GPL-3.0", "BSD-3-Clause", "BSD-3-Clause", "BSD-3-Clause"]
    assert card.licence.startswith("GPL-3.0")
