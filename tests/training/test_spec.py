"""Where pairs are, as a run records it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_mitostain.errors import SettingsError
from napari_mitostain.training.spec import PairsSpec, pairs_in

SPEC = PairsSpec(Path("/a/b.tif"), Path("/a/m.tif"), 1, None, {"b": (3, -2)}, skip_unreadable=True)


@pytest.mark.parametrize("spec", [SPEC, pairs_in(Path("/pairs"))])
def test_spec_comes_back_from_json(spec: PairsSpec) -> None:
    assert PairsSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_paths_are_recorded_whole_so_that_a_run_resumes_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    recorded = PairsSpec(Path("x/b.tif"), Path("x/m.tif")).to_dict()
    assert (recorded["brightfield"], recorded["mitochondria"]) == (str(Path("/x/b.tif")), str(Path("/x/m.tif")))


def test_folder_of_pairs_has_both_parts() -> None:
    spec = pairs_in(Path("/pairs"), mitochondria_channel=2)
    assert (spec.brightfield, spec.mitochondria) == (Path("/pairs/brightfield"), Path("/pairs/mitochondria"))
    assert spec.channels == (None, 2)


@pytest.mark.parametrize(
    "change",
    [{"shifts": 3}, {"shifts": {"a": [1]}}, {"brightfield": 5}, {"colour": "red"}, {"shifts": {"a": ["x", 1]}}],
)
def test_damaged_record_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="choose the pairs again"):
        PairsSpec.from_dict(SPEC.to_dict() | change)
    incomplete = SPEC.to_dict()
    del incomplete["mitochondria"]
    with pytest.raises(SettingsError):
        PairsSpec.from_dict(incomplete)
