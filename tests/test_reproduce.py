"""The script that reproduces the paper: its repeats, its arithmetic, and that what is complete is not trained again."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_rel

from napari_mitostain.events import StepDone
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

ROOT = Path(__file__).parents[1]
SERIES = ("TL_009", "TL_010")
SCORES = ("ssim", "psnr", "pearson", "detail_pearson")
Modules = Callable[[str], ModuleType]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Modules:
    """An importer of the script and its parts."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


@pytest.fixture
def small(module: Modules, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with two generators in each of its results, and runs of a second."""
    script = module("reproduce")
    cell, budget = module("reproduction_runs").Cell, script.SCALED_DOWN
    monkeypatch.setattr(script, "SCALED_DOWN", replace(budget, epochs=1, patch=32, base_channels=2, minimum_area=0.0))
    monkeypatch.setattr(script, "TABLE_1", [cell("tn", "mse"), cell("l1", "mse")])
    monkeypatch.setattr(script, "FIGURE_4", {"TN, batch 1": cell("tn", "mse"), "L1, batch 1": cell("l1", "mse")})
    return script


@pytest.fixture
def pairs(pairs_folder: Callable[..., Path]) -> Path:
    return pairs_folder(*(f"{name}_t{time}.tif" for name in SERIES for time in (1, 2)), shape=(48, 48))


def _run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *map(str, words)])
    script.main()


def _row(repeat: str, generator: str, value: float, discriminator: str = "mse") -> dict[str, Any]:
    scores = {"stain": dict.fromkeys(SCORES, value)}
    scores |= {name: dict.fromkeys(SCORES, 0.5) for name in ("constant", "variance", "ceiling")}
    losses = {"generator_loss": generator, "discriminator_loss": discriminator}
    return {"repeat": repeat, "pairs": 9, "steps": 90, **losses, "scores": scores}


def _rows(generator: str, values: Sequence[float], discriminator: str = "mse") -> list[dict[str, Any]]:
    return [_row(f"TL_{number}", generator, value, discriminator) for number, value in enumerate(values)]


def _line(text: str, *cells: str) -> list[str]:
    """Return the cells of the line that begins with these."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return next(line for line in lines if tuple(line[: len(cells)]) == cells)


def test_table_1_is_that_of_the_paper_and_shares_its_runs_with_fig_4(module: Modules) -> None:
    script, paper = module("reproduce"), module("reproduction_tables").PAPER
    losses = [(cell.generator_loss, cell.discriminator_loss) for cell in script.TABLE_1]
    assert sorted(losses) == sorted((loss, other) for loss, figures in paper.items() for other in figures)
    assert len({cell.name for cell in script.TABLE_1 + script.ALONE}) == 10
    assert {script.FIGURE_4["TN, batch 1"], script.FIGURE_4["L1, batch 1"]} < set(script.TABLE_1)


def test_each_repeat_leaves_out_another_series(module: Modules, pairs_folder: Callable[..., Path]) -> None:
    found = open_pairs(pairs_folder("TL_009_t1.tif", "TL_009_t2.tif", "TL_011_t1.tif", "v_002_1.tif")).pairs
    repeats = module("reproduction_runs").repeats_of(found)
    assert [(one.name, one.seed) for one in repeats] == [("TL_009", 0), ("TL_011", 1)]
    for one in repeats:
        assert {pair.acquisition for pair in one.held_out} == {one.name}
        assert len(one.held_out) + len(one.training) == len(found)
        assert not {pair.acquisition for pair in one.training} & {one.name}


def test_each_repeat_leaves_out_other_simulated_cells(module: Modules, pairs_folder: Callable[..., Path]) -> None:
    runs = module("reproduction_runs")
    found = open_pairs(pairs_folder(*(f"simulated_{seed:06d}.ome.tif" for seed in range(12)))).pairs
    repeats = runs.repeats_of(found)
    assert len(repeats) == len({one.seed for one in repeats}) == 3
    held_out = [pair.name for one in repeats for pair in one.held_out]
    assert len(held_out) == len({*held_out}) == 6
    for one in repeats:
        assert {pair.name for pair in one.training} | {pair.name for pair in one.held_out} == {p.name for p in found}
    with pytest.raises(SystemExit, match="simulate more cells"):
        runs.repeats_of(found[:5])


def test_split_of_the_paper_leaks(module: Modules, pairs_folder: Callable[..., Path]) -> None:
    found = open_pairs(pairs_folder(*(f"{name}_t{time}.tif" for name in SERIES for time in range(10)))).pairs
    repeats = module("reproduction_runs").repeats_of(found, "patch")
    assert len({tuple(pair.name for pair in one.held_out) for one in repeats}) == len(repeats) == 3
    for one in repeats:
        assert not {pair.name for pair in one.training} & {pair.name for pair in one.held_out}
        assert {pair.acquisition for pair in one.held_out} <= {pair.acquisition for pair in one.training}


def test_large_batch_learns_faster_by_the_root_of_its_size(module: Modules) -> None:
    runs = module("reproduction_runs")
    repeat = runs.Repeat("TL_009", 3, [], [])
    one, many = (runs.settings_of(runs.Cell("l1", "focal", size), repeat, runs.SCALED_DOWN) for size in (1, 16))
    assert many.learning_rate == pytest.approx(4 * one.learning_rate)
    assert (many.batch_size, many.seed, many.discriminator_loss) == (16, 3, "focal")
    assert many.weight_l1 == one.weight_l1


def test_interval_of_paired_differences_is_that_of_the_paired_t_test(module: Modules) -> None:
    tables = module("reproduction_tables")
    tn, l1 = [0.5, 0.6, 0.4, 0.8], [0.45, 0.62, 0.3, 0.65]
    found = tables.interval(tables.paired(_rows("tn", tn), _rows("l1", l1), "ssim"))
    expected = ttest_rel(tn, l1).confidence_interval(0.95)
    assert found == pytest.approx((np.mean(tn) - np.mean(l1), expected.low, expected.high))
    assert tables.interval([0.3]) == (0.3, -np.inf, np.inf)


def test_only_repeats_that_both_have_are_paired_and_their_rows_averaged(module: Modules) -> None:
    paired = module("reproduction_tables").paired
    tn = [*_rows("tn", [0.5, 0.6, 0.9]), *_rows("tn", [0.7, 0.8, 0.9], "focal")]
    assert paired(tn, _rows("l1", [0.1, 0.2]), "pearson") == pytest.approx([0.5, 0.5])


def test_quartiles_and_whiskers(module: Modules) -> None:
    found = module("reproduction_tables").quartiles([3, 1, 2, 5, 4, 100])
    values = np.array([1, 2, 3, 4, 5, 100])
    assert found[1:4] == tuple(np.quantile(values, (0.25, 0.5, 0.75)))
    assert (found.low, found.high) == (1, 5)  # 100 is farther from the box than 1.5 times its height


def test_table_has_means_and_spreads_beside_the_paper_and_the_baselines(module: Modules) -> None:
    tables = module("reproduction_tables")
    rows = [*_rows("tn", [0.2, 0.4]), *_rows("l1", [0.1, 0.3])]
    assert _line(tables.table(rows), "MSE", "TN")[2:4] == ["0.687", "0.300 ± 0.141"]
    assert _line(tables.table(rows), "constant")[3] == "0.500 ± 0.000"
    assert _line(tables.differences(rows), "MSE")[1:3] == ["+0.258", "+0.100 (+0.100 to +0.100)"]
    assert _line(tables.by_repeat(rows), "TL_1")[1:4] == ["9", "90", "+0.100"]
    assert _line(tables.differences([*_rows("tn", [0.2]), *_rows("l1", [0.1])]), "MSE")[2] == "+0.100"
    worse = [*rows, *_rows("tn", [0.1, 0.1], "none")]
    assert _line(tables.against_mse(worse), "none", "TN")[2:4] == ["", "+0.200 (−1.071 to +1.471)"]


def test_ticks_are_few_and_enclose_what_is_shown(module: Modules) -> None:
    ticks = module("reproduction_figures").ticks
    for low, high in ((0.31, 0.77), (-0.05, 0.52), (17.2, 24.9), (0.0, 1.0)):
        marks = ticks(low, high)
        assert marks[0] <= low + 1e-6 < high - 1e-6 <= marks[-1]
        assert 3 <= len(marks) <= 6
        np.testing.assert_allclose(np.diff(marks), marks[1] - marks[0])


def test_figures_and_tables_share_runs_which_are_trained_once(
    small: ModuleType, module: Modules, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    _run(small, monkeypatch, "table1", pairs, work)
    rows = json.loads((work / "table1.json").read_text())["table1"]
    assert [(row["repeat"], row["generator_loss"]) for row in rows] == [(s, g) for s in SERIES for g in ("tn", "l1")]
    assert {(row["pairs"], row["steps"]) for row in rows} == {(2, 2)}
    runs = module("reproduction_runs")
    (work / "TL_009" / "tn-mse-1.json").unlink()  # as if stopped between training and scoring
    monkeypatch.setattr(module("bundle_generator"), "train", None)  # from here on nothing can be trained
    _run(small, monkeypatch, "table1", pairs, work)
    assert json.loads((work / "table1.json").read_text())["table1"] == rows
    monkeypatch.setattr(runs, "scores_of", None)  # nor scored
    _run(small, monkeypatch, "figure4", pairs, work)
    groups = json.loads((work / "figure4.json").read_text())["figure4"]
    assert {name: len(values["ssim"]) for name, values in groups.items()} == dict.fromkeys(groups, 4)
    assert np.mean(groups["TN, batch 1"]["ssim"]) == pytest.approx(
        np.mean([row["scores"]["stain"]["ssim"] for row in rows if row["generator_loss"] == "tn"])
    )
    _run(small, monkeypatch, "figure3", pairs, work)
    with Image.open(work / "figure3.png") as picture:
        assert picture.width >= 2 * 48


def test_run_that_was_stopped_goes_on(small: ModuleType, module: Modules, pairs: Path, tmp_path: Path) -> None:
    runs = module("reproduction_runs")
    repeat, cell = runs.repeats_of(open_pairs(pairs).pairs)[0], small.TABLE_1[0]
    budget = replace(small.SCALED_DOWN, epochs=2)
    folder = tmp_path / repeat.name / cell.name
    begun = train(list(repeat.training), folder, runs.settings_of(cell, repeat, budget))
    for event in begun:
        if isinstance(event, StepDone):
            break
    begun.close()  # type: ignore[attr-defined]
    assert RunFolder(folder).state() != "finished"
    found = runs.result(cell, repeat, tmp_path, budget)
    assert RunFolder(folder).state() == "finished"
    assert found["steps"] == 4
    assert found["scores"]["constant"]["pearson"] == [0, 0]


def test_folder_holds_runs_of_one_length(small: ModuleType, tmp_path: Path) -> None:
    small.record(tmp_path / "work" / "settings.json", small.SCALED_DOWN)
    small.record(tmp_path / "work" / "settings.json", small.SCALED_DOWN)
    with pytest.raises(SystemExit, match="new WORK"):
        small.record(tmp_path / "work" / "settings.json", replace(small.SCALED_DOWN, epochs=2))


def test_page_shows_what_is_recorded(
    module: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8").splitlines()
    files = sorted((ROOT / "docs" / "reproduction").glob("*.json"))
    assert files
    for file in files:
        picture = tmp_path / f"{file.stem}.png"
        _run(module("reproduce"), monkeypatch, "show", file, picture)
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
        assert lines
        assert [line for line in lines if line not in page] == []
        assert picture.exists() == ("figure4" in file.stem)
