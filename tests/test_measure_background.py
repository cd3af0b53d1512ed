"""The script that measures what a generator shows where there is no cell."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mitostain.model.loading import Model

SCRIPT = Path(__file__).parents[1] / "scripts" / "measure_background.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_shares_are_of_the_range_of_a_stain(script: dict[str, Any]) -> None:
    dark, half = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    half[:2] = 0.5
    found = script["background"]([dark, half])
    assert (found.mean, found.brightest, found.lit) == (0.125, 0.25, 0.25)


def test_every_kind_of_field_is_stained_and_has_a_line(script: dict[str, Any], tiny_model: Model) -> None:
    kinds = script["fields"](2, 32)
    assert {plane.shape for planes in kinds.values() for plane in planes} == {(32, 32)}
    assert all((one != other).any() for one, other in kinds.values())  # fields of a kind differ
    found = script["measured"](tiny_model, kinds)
    assert list(found) == list(kinds)
    lines = script["table"]({"tiny": found}).splitlines()
    assert len(lines) == 2 + len(kinds)
    assert lines[2].startswith(f"| tiny | no cells | {found['no cells'].mean:.1%} |")


def test_fields_without_cells_are_plainer_than_those_with(script: dict[str, Any]) -> None:
    kinds = script["fields"](1, 128)
    spread = {kind: float(np.std(planes[0] / np.median(planes[0]))) for kind, planes in kinds.items()}
    assert spread["no cells, no dirt"] < spread["with cells"]
    assert spread["noise of pixels"] == pytest.approx(0.07, rel=0.05)
