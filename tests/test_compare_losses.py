"""The script that compares the losses: its cells, its table, and that it takes what is complete."""

from __future__ import annotations

import argparse
import json
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return runpy.run_path(str(SCRIPTS / "compare_losses.py"))


def _scores(value: float) -> dict[str, float]:
    return dict.fromkeys(("ssim", "psnr", "pearson", "detail_pearson"), value)


def _result(seed: int, value: float, steps: int | None = 10) -> dict[str, Any]:
    baselines = {name: _scores(0.5) for name in ("constant", "variance", "ceiling")}
    losses = {"generator_loss": "tn", "discriminator_loss": "mse", "seed": seed}
    return losses | {"steps": steps, "stain": _scores(value)} | baselines


def test_cells_are_both_losses_with_every_discriminator_for_every_seed(script: dict[str, Any]) -> None:
    cells = script["cells"](2)
    assert len({cell.name for cell in cells}) == len(cells) == 2 * 5 * 2
    assert [cell.seed for cell in cells] == [0] * 10 + [1] * 10  # a run that is cut short has whole tables
    settings = cells[0].settings(script["ALONE"])
    assert (settings.generator_loss, settings.discriminator_loss, settings.seed) == ("tn", "mse", 0)


def test_table_has_the_mean_of_the_seeds_beside_the_baselines(script: dict[str, Any]) -> None:
    lines = script["table"]([_result(0, 0.2), _result(1, 0.4)]).splitlines()
    assert lines[2] == "| tn | mse | 10 | 0.300 | 0.30 | 0.300 | 0.300 |"
    assert [line.split(" | ")[0] for line in lines[3:]] == ["| constant", "| variance", "| ceiling"]
    assert script["table"]([_result(0, 0.2, steps=None)]).splitlines()[2].startswith("| tn | mse |  | 0.200")


def test_cell_that_is_complete_is_taken_as_it_is(script: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tn-mse-0.json").write_text(json.dumps(_result(0, 0.2)))
    cell, arguments = script["cells"](1)[0], argparse.Namespace(work=tmp_path)
    assert script["result"](cell, [], arguments, script["ALONE"]) == _result(0, 0.2)
