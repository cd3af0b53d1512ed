"""`mitostain evaluate`: a table for people, JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    random = np.random.default_rng(0)
    images = {
        "target": random.integers(0, 255, (24, 30)).astype(np.uint8),
        "stain": random.random((24, 30)).astype(np.float32),
        "bright": random.integers(0, 255, (24, 30)).astype(np.uint8),
    }
    for name, image in images.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    tifffile.imwrite(tmp_path / "perfect.tif", images["target"].astype(np.float32) / 255)
    return {name: tmp_path / f"{name}.tif" for name in (*images, "perfect")}


def test_json_holds_the_scores_and_the_baselines(mitostain: Any, files: dict[str, Path]) -> None:
    done = mitostain("evaluate", files["stain"], files["target"], "--brightfield", files["bright"], "--json")
    assert (done.status, done.err) == (0, "")
    assert set(done.json["baselines"]) == {"constant", "variance", "ceiling"}
    assert done.json["planes"]["target.tif"] == done.json["mean"]


def test_table_has_a_row_for_the_stain_and_each_baseline(mitostain: Any, files: dict[str, Path]) -> None:
    done = mitostain("evaluate", files["stain"], files["target"])
    rows = [line.split()[0] for line in done.out.splitlines()]
    assert rows[1:4] == ["stain", "constant", "ceiling"]
    assert "variance" not in done.out
    done = mitostain("evaluate", files["stain"], files["target"], "--brightfield", files["bright"])
    assert "variance: blurred local variance of the brightfield" in done.out.splitlines()[-1]


def test_pixels_that_are_not_finite_are_told(mitostain: Any, files: dict[str, Path]) -> None:
    stain = tifffile.imread(files["stain"])
    stain[3, 4:7] = np.nan
    tifffile.imwrite(files["stain"], stain)
    done = mitostain("evaluate", files["stain"], files["target"], "--json")
    (notice,) = done.json["notices"]
    assert "3 pixel(s) of the prediction for target.tif are not finite" in notice
    assert done.err == f"mitostain: {notice}\n"
    assert mitostain("evaluate", files["perfect"], files["target"], "--json").json["notices"] == []


def test_perfect_stain_gives_json_that_any_program_reads(mitostain: Any, files: dict[str, Path]) -> None:
    done = mitostain("evaluate", files["perfect"], files["target"], "--json")
    assert done.json["mean"]["ssim"] == pytest.approx(1)
    assert done.json["mean"]["psnr"] is None  # infinite, which JSON has no word for


def test_perfect_stain_has_infinite_psnr_in_the_table(mitostain: Any, files: dict[str, Path]) -> None:
    stain_row = mitostain("evaluate", files["perfect"], files["target"]).out.splitlines()[1]
    assert stain_row.split() == ["stain", "1.000", "inf", "1.000", "1.000"]
