"""The bundled model on real images: better than a picture that is empty and than one that knows where cells are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from napari_mitostain.evaluation.report import Report, evaluate
from napari_mitostain.events import Notice
from napari_mitostain.image.files import list_images
from napari_mitostain.model.loading import load_model
from napari_mitostain.staining import stain_folder
from napari_mitostain.training.naming import acquisition_names

PAIRS = Path(__file__).parents[2] / "shared" / "data" / "h9c2_omp25"
PER_SERIES = 2

pytestmark = pytest.mark.skipif(not PAIRS.is_dir(), reason=f"the real pairs are not in {PAIRS}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Scores of two crops of each series, by the way a user would go: stain a folder, evaluate it."""
    folder = tmp_path_factory.mktemp("real")
    series: dict[str, list[str]] = {}
    for name, acquisition in acquisition_names([path.name for path in list_images(PAIRS / "brightfield")]).items():
        series.setdefault(acquisition, []).append(name)
    assert len(series) == 5
    for part in ("brightfield", "mitochondria"):
        (folder / part).mkdir()
        for names in series.values():
            for name in names[:: len(names) // PER_SERIES][:PER_SERIES]:
                shutil.copy(PAIRS / part / name, folder / part)
    events = list(stain_folder(folder / "brightfield", folder / "stain", load_model()))
    assert not [event for event in events if isinstance(event, Notice)]
    return evaluate(folder / "stain", folder / "mitochondria", folder / "brightfield")


@pytest.mark.parametrize("baseline", ["constant", "variance"])
@pytest.mark.parametrize("name", ["pearson", "detail_pearson"])
def test_stains_are_closer_to_the_dye_than_the_baselines(report: Report, baseline: str, name: str) -> None:
    assert len(report.planes) == 5 * PER_SERIES
    assert getattr(report.mean, name) > getattr(report.baselines[baseline], name)


def test_stains_are_not_better_than_the_noise_of_the_camera_allows(report: Report) -> None:
    assert report.mean.pearson < report.baselines["ceiling"].pearson
    assert report.mean.detail_pearson < report.baselines["ceiling"].detail_pearson
