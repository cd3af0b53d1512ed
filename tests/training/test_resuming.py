"""A run that goes on keeps its pairs in the parts that they had, whatever has become of their folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.config import TrainSettings, WeightSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.events import Event, Finding, Measured, Notice, RunStarted
from napari_mitostain.training import trainer
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.resuming import recorded
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_pairs import RunPairs, read_run_pairs, write_run_pairs
from napari_mitostain.training.spec import PairsSpec, pairs_in
from napari_mitostain.training.split import split_pairs
from napari_mitostain.training.survey import facts_of, measured_pairs
from napari_mitostain.training.trainer import train

NAMES = "a_t1.tif", "b_t1.tif", "c_t1.tif", "d_t1.tif", "e_t1.tif"


@pytest.fixture
def folder(pairs_folder: Callable[..., Path]) -> Path:
    return pairs_folder(*NAMES)


@pytest.fixture
def run(folder: Path, tiny: TrainSettings, tmp_path: Path) -> Path:
    """A run that was stopped when it had begun."""
    parts_of(train(folder, tmp_path / "run", replace(tiny, epochs=1)))
    return tmp_path / "run"


def parts_of(events: Any) -> dict[str, list[str]]:
    """Begin a run, and stop it."""
    started = next(event for event in events if isinstance(event, RunStarted))
    events.close()
    return dict(started.acquisitions)


def notices(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def copied(folder: Path, name: str, new: str) -> None:
    for part in ("brightfield", "mitochondria"):
        shutil.copy(folder / part / name, folder / part / new)


def test_pairs_that_come_later_take_no_part_and_move_no_other(folder: Path, run: Path, tiny: TrainSettings) -> None:
    before = RunFolder(run).history()[-1]["acquisitions"]
    copied(folder, "a_t1.tif", "f_t1.tif")
    (folder / "brightfield" / "alone.tif").write_bytes(b"not yet whole, and without a partner")
    events = list(train(None, run, tiny, resume=True))
    (started,) = [event for event in events if isinstance(event, RunStarted)]
    assert started.acquisitions == before
    assert "1 pair(s) or file(s) have come since the run began and take no part; a new run would use them." in notices(
        events
    )


def test_files_that_come_later_do_not_rename_acquisitions(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder = pairs_folder("x_1.tif", "x_2.tif", "x_3.tif")  # fields, as long as no other name tells otherwise
    spec = pairs_in(folder, shifts={"x_2": (1, 0)})
    settings = replace(tiny, epochs=1, patch=16)
    before = parts_of(train(spec, tmp_path / "run", settings))
    copied(folder, "x_1.tif", "y_1.tif")
    assert parts_of(train(None, tmp_path / "run", settings, resume=True)) == before


def test_pair_that_is_gone_is_named(folder: Path, run: Path, tiny: TrainSettings) -> None:
    for part in ("brightfield", "mitochondria"):
        (folder / part / "b_t1.tif").unlink()
    with pytest.raises(TrainingError, match=r"Expected the pair b_t1\.tif, .* got none; put it back or start a new"):
        list(train(None, run, tiny, resume=True))


def test_pair_that_lost_one_image_is_named(folder: Path, run: Path, tiny: TrainSettings) -> None:
    (folder / "mitochondria" / "b_t1.tif").unlink()
    with pytest.raises(TrainingError, match=r"Expected the pair b_t1\.tif, .* got none.* without a partner"):
        list(train(None, run, tiny, resume=True))


def test_pair_of_another_size_is_named(folder: Path, run: Path, tiny: TrainSettings) -> None:
    tifffile.imwrite(folder / "brightfield" / "b_t1.tif", np.zeros((40, 40), np.uint8))
    with pytest.raises(TrainingError, match=r"Expected the pair b_t1\.tif, .* bytes; put it back or start a new run"):
        list(train(None, run, tiny, resume=True))


def test_pairs_in_memory_are_told_by_their_shape(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    parts_of(train(pairs, tmp_path / "run", replace(tiny, holdout=("c",))))
    cropped = [replace(pair, shape=(36, 40)) for pair in pairs]
    with pytest.raises(TrainingError, match=r"pair 0, .* of \(40, 40\) pixels, got \(36, 40\)"):
        list(train(cropped, tmp_path / "run", tiny, resume=True))
    with pytest.raises(TrainingError, match="pair 0, which the run began with, got none"):
        list(train(pairs[1:], tmp_path / "run", tiny, resume=True))


def test_unreadable_pair_that_was_left_out_at_the_start_is_no_hindrance(
    folder: Path, tiny: TrainSettings, tmp_path: Path
) -> None:
    (folder / "brightfield" / "c_t1.tif").write_bytes(b"no image")
    spec = pairs_in(folder, skip_unreadable=True)
    before = parts_of(train(spec, tmp_path / "run", tiny))
    for part in ("brightfield", "mitochondria"):
        (folder / part / "c_t1.tif").unlink()
    assert parts_of(train(None, tmp_path / "run", tiny, resume=True)) == before


def test_resumed_run_reads_no_pixels_before_it_goes_on(
    folder: Path, run: Path, tiny: TrainSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "check_pairs", lambda *_: pytest.fail("checked again"))
    events = train(None, run, tiny, resume=True)
    first = next(events)
    events.close()  # type: ignore[attr-defined]
    assert isinstance(first, RunStarted)


def test_run_from_before_there_was_a_record_is_checked_once_more(folder: Path, run: Path, tiny: TrainSettings) -> None:
    before = (run / "pairs.json").read_bytes()
    (run / "pairs.json").unlink()
    events = list(train(None, run, tiny, resume=True))
    assert sum(isinstance(event, Measured) and event.total == len(NAMES) for event in events) == len(NAMES)
    assert (run / "pairs.json").read_bytes() == before


def test_other_pairs_are_checked_anew_and_not_recorded(
    pairs_folder: Callable[..., Path], folder: Path, run: Path, tiny: TrainSettings
) -> None:
    before = (run / "pairs.json").read_bytes()
    other = folder.rename(folder.with_name("other"))
    moved = list(train(other, run, tiny, resume=True))  # the same pairs in another place
    assert not [event for event in moved if isinstance(event, Finding)]
    copied(other, "a_t1.tif", "z_t1.tif")
    for part in ("brightfield", "mitochondria"):
        (other / part / "a_t1.tif").unlink()
    started = next(event for event in train(other, run, tiny, resume=True) if isinstance(event, RunStarted))
    assert "z" in [name for names in started.acquisitions.values() for name in names]
    assert (run / "pairs.json").read_bytes() == before


@pytest.mark.parametrize("scope", ["patch", "plane", "stack"])
def test_record_gives_the_same_split_bit_for_bit(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path, scope: Any
) -> None:
    settings = replace(tiny, weighting=WeightSettings(scope=scope), patch=32)
    for names, shape in ((NAMES, (32, 32)), (("a.tif",), (32, 400)), (("a_t1.tif", "a_t2.tif", "a_t3.tif"), (32, 32))):
        shutil.rmtree(tmp_path / "pairs", ignore_errors=True)
        opened = open_pairs(pairs_folder(*names, shape=shape))
        facts = [facts_of(pair.source.planes(), pair.read(), settings) for pair in opened.pairs]
        split = split_pairs(measured_pairs(opened.pairs, facts, scope), settings)
        write_run_pairs(tmp_path / "pairs.json", RunPairs.of(opened, split))
        read = read_run_pairs(tmp_path / "pairs.json")
        assert read is not None
        assert read.split(opened) == split


def test_planes_of_a_stack_are_told_apart(tmp_path: Path, tiny: TrainSettings) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (6, 32, 32), np.uint8)
    for part in ("b c.tif", "m.tif"):
        tifffile.imwrite(tmp_path / part, stack + len(part), imagej=True, metadata={"axes": "TYX"})
    spec = PairsSpec(tmp_path / "b c.tif", tmp_path / "m.tif")
    events = train(spec, tmp_path / "run", tiny)
    next(event for event in events if isinstance(event, RunStarted))
    events.close()  # type: ignore[attr-defined]
    found = json.loads((tmp_path / "run" / "pairs.json").read_text())
    assert [pair["name"] for pair in found["pairs"]][-1] == "b c.tif t4"
    assert {pair["part"] for pair in found["pairs"]} == {"training", "validation", "unused"}
    tifffile.imwrite(tmp_path / "m.tif", stack[:5], imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(TrainingError, match=r"Expected the pair b c\.tif t0, .* bytes"):
        list(train(None, tmp_path / "run", tiny, resume=True))


@pytest.mark.parametrize("content", ["{", "[]", '{"sentence": "", "files": {"a": [1]}, "pairs": []}'])
def test_damaged_record_is_refused(run: Path, tiny: TrainSettings, content: str) -> None:
    (run / "pairs.json").write_text(content)
    with pytest.raises(TrainingError, match=r"Expected the pairs of a run in .*pairs\.json"):
        list(train(None, run, tiny, resume=True))


def test_same_paths_keep_the_recorded_shift_and_channels(folder: Path, tiny: TrainSettings, tmp_path: Path) -> None:
    spec = pairs_in(folder, shifts={"b": (2, 3)}, skip_unreadable=True)
    parts_of(train(spec, tmp_path / "run", replace(tiny, epochs=1, patch=16)))
    for same in (folder, pairs_in(folder), spec):
        said = notices(list(train(same, tmp_path / "run", tiny, resume=True)))
        assert not [sentence for sentence in said if "other pairs" in sentence or "choice of pairs" in sentence]
    told = recorded(RunFolder(tmp_path / "run"), tiny, pairs_in(folder), None)
    assert told.spec == RunFolder(tmp_path / "run").config().pairs
    said = notices(list(train(pairs_in(folder, shifts={"c": (1, 1)}), tmp_path / "run", tiny, resume=True)))
    assert "The run keeps its own choice of pairs: shifts {'b': [2, 3]}." in said


def test_pairs_that_were_moved_keep_their_shift(folder: Path, tiny: TrainSettings, tmp_path: Path) -> None:
    spec = pairs_in(folder, shifts={"b": (2, 3)})
    before = parts_of(train(spec, tmp_path / "run", replace(tiny, epochs=1, patch=16)))
    other = folder.rename(tmp_path / "other")
    told = recorded(RunFolder(tmp_path / "run"), tiny, pairs_in(other), None)
    assert told.spec == pairs_in(other, shifts={"b": (2, 3)})
    assert parts_of(train(other, tmp_path / "run", tiny, resume=True)) == before


def test_other_images_of_the_same_folder_are_named(folder: Path, tiny: TrainSettings, tmp_path: Path) -> None:
    parts_of(train(folder, tmp_path / "run", replace(tiny, epochs=1)))
    swapped = PairsSpec(folder / "mitochondria", folder / "brightfield")
    (said,) = recorded(
        RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run").config().settings, swapped, None
    ).remarks
    assert said == (
        f"The run was started on other pairs: {folder}; it goes on with {swapped.brightfield} and "
        f"{swapped.mitochondria}."
    )
