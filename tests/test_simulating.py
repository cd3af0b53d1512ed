"""Folders of simulated pairs: complete, resumable, never overwritten."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mitostain.config import SimulationSettings
from napari_mitostain.errors import FileError, SettingsError
from napari_mitostain.events import Notice, PairDone
from napari_mitostain.image.files import read_stack
from napari_mitostain.simulating import simulate_folder
from napari_mitostain.simulation import simulate_pair
from napari_mitostain.training.pairs import open_pairs

TINY = SimulationSettings(shape=(24, 16))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_pairs_have_the_same_names_pixel_size_and_what_was_simulated(tmp_path: Path) -> None:
    events = list(simulate_folder(tmp_path / "out", 2, TINY, seed=5))
    names = ["simulated_000005.ome.tif", "simulated_000006.ome.tif"]
    assert [(event.name, event.kept, event.done, event.total) for event in events if isinstance(event, PairDone)] == [
        (names[0], False, 1, 2),
        (names[1], False, 2, 2),
    ]
    expected = simulate_pair(TINY, 6)
    for kind in ("brightfield", "mitochondria"):
        stack = read_stack(tmp_path / "out" / kind / names[1])
        assert (stack.axes, stack.scale) == ("YX", {"Y": 0.08, "X": 0.08})
        assert stack.data.dtype == np.uint8
        np.testing.assert_array_equal(stack.read(()), getattr(expected, kind)[0])
    with tifffile.TiffFile(tmp_path / "out" / "brightfield" / names[1]) as tif:
        assert "simulated cell, not of a real one: seed 6" in (tif.ome_metadata or "")


def test_training_takes_the_folder(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 3, TINY))
    pairs = open_pairs(tmp_path).pairs
    assert len({pair.acquisition for pair in pairs}) == len(pairs) == 3  # every cell is a field of its own


def test_several_planes_are_a_stack_through_focus(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 1, SimulationSettings(shape=(16, 16), planes=3, plane_spacing_um=0.4)))
    stack = read_stack(tmp_path / "mitochondria" / "simulated_000000.ome.tif")
    assert (stack.axes, stack.shape, stack.scale["Z"]) == ("ZYX", (3, 16, 16), 0.4)


def test_several_times_are_a_time_lapse(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path / "flat", 1, SimulationSettings(shape=(16, 18), times=3, interval_s=2.5)))
    flat = read_stack(tmp_path / "flat" / "brightfield" / "simulated_000000.ome.tif")
    assert (flat.axes, flat.shape) == ("TYX", (3, 16, 18))
    assert flat.scale == {"T": 2.5, "Y": 0.08, "X": 0.08}
    list(simulate_folder(tmp_path / "deep", 1, SimulationSettings(shape=(16, 18), times=3, planes=2)))
    deep = read_stack(tmp_path / "deep" / "mitochondria" / "simulated_000000.ome.tif")
    assert (deep.axes, deep.shape, deep.scale["T"], deep.scale["Z"]) == ("TZYX", (3, 2, 16, 18), 5.0, 0.5)


def test_a_folder_from_before_there_were_time_lapses_goes_on(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 1, TINY))
    file = tmp_path / "simulation.json"
    old = {name: value for name, value in json.loads(file.read_text()).items() if name not in ("times", "motion")}
    file.write_text(json.dumps(old))
    list(simulate_folder(tmp_path, 2, TINY))
    assert len(list((tmp_path / "brightfield").iterdir())) == 2
    file.write_text("{")
    with pytest.raises(FileError, match=r"^Expected the settings"):
        list(simulate_folder(tmp_path, 3, TINY))


def test_a_folder_that_was_stopped_is_completed_as_if_it_had_not_been(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path / "whole", 3, TINY))
    with closing(simulate_folder(tmp_path / "stopped", 3, TINY)) as events:  # type: ignore[type-var]
        next(events)
    (tmp_path / "stopped" / "mitochondria" / "simulated_000001.ome.tif").write_bytes(b"one of two")
    events = list(simulate_folder(tmp_path / "stopped", 3, TINY))
    assert [event.kept for event in events if isinstance(event, PairDone)] == [True, False, False]
    assert ["1 of 3 pairs" in event.message for event in events if isinstance(event, Notice)] == [True]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_what_is_there_is_kept_unless_asked_for(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 1, TINY))
    file = tmp_path / "brightfield" / "simulated_000000.ome.tif"
    file.write_bytes(b"mine")
    list(simulate_folder(tmp_path, 1, TINY))
    assert file.read_bytes() == b"mine"
    list(simulate_folder(tmp_path, 1, TINY, overwrite=True))
    assert read_stack(file).shape == (24, 16)


def test_one_folder_has_one_kind_of_pairs(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 1, TINY))
    before = contents(tmp_path)
    with pytest.raises(FileError, match=r"^Expected the settings that .* was begun with"):
        list(simulate_folder(tmp_path, 2, SimulationSettings(shape=(16, 16))))
    assert contents(tmp_path) == before
    list(simulate_folder(tmp_path, 1, SimulationSettings(shape=(16, 16)), overwrite=True))
    assert json.loads((tmp_path / "simulation.json").read_text())["shape"] == [16, 16]


def test_pairs_of_other_settings_are_all_replaced_or_none(tmp_path: Path) -> None:
    list(simulate_folder(tmp_path, 3, TINY))
    before, others = contents(tmp_path), SimulationSettings(shape=(16, 16))
    with pytest.raises(FileError, match=r"got 1 that would stay \(simulated_000002"):
        list(simulate_folder(tmp_path, 2, others, overwrite=True))
    assert contents(tmp_path) == before
    with closing(simulate_folder(tmp_path, 3, others, overwrite=True)) as events:  # type: ignore[type-var]
        next(events)
    list(simulate_folder(tmp_path, 3, others))  # goes on with what was stopped
    assert {read_stack(file).shape for file in (tmp_path / "brightfield").iterdir()} == {(16, 16)}


@pytest.mark.parametrize(("cells", "seed"), [(0, 0), (1, -1), (True, 0), (1.5, 0)])
def test_numbers_out_of_range_are_refused_before_anything_is_written(tmp_path: Path, cells: int, seed: int) -> None:
    with pytest.raises(SettingsError, match=r"^Expected (number of cells|seed)"):
        list(simulate_folder(tmp_path / "out", cells, TINY, seed))
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(FileError, match=r"^Expected "):
        list(simulate_folder(tmp_path / "out", 1, TINY))
