"""The folder of a run: what it tells, and how little it takes on trust."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from napari_mitostain.config import ScalingSettings, TrainSettings
from napari_mitostain.errors import FileError, SettingsError, TrainingError
from napari_mitostain.events import EpochDone, Notice, RunDone, StartScored
from napari_mitostain.training.checkpoints import Progress, save_run
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.players import new_players
from napari_mitostain.training.previews import read_preview
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.spec import PairsSpec
from napari_mitostain.training.trainer import train

SCORES = {"ssim": 0.5, "psnr": 20.0, "pearson": 0.6, "detail_pearson": 0.3}


def epoch(number: int) -> EpochDone:
    return EpochDone(epoch=number, fraction=0.5, losses={"l1": 0.25}, scores=SCORES, validation_losses={"l1": 0.5})


def begin(run: RunFolder, config: RunConfig) -> None:
    """Make a folder a run, as the trainer does."""
    run.prepare()
    run.write_config(config)


@pytest.fixture
def run(tmp_path: Path, tiny: TrainSettings) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    begin(folder, RunConfig(tiny, None, "given pairs"))
    return folder


def test_config_says_what_the_run_was_told(tmp_path: Path, tiny: TrainSettings) -> None:
    run = RunFolder(tmp_path / "deep" / "run")
    spec = PairsSpec(tmp_path / "a" / "brightfield", tmp_path / "a" / "mitochondria", shifts={"x": (1, -2)})
    data = ({"name": "n", "source": "s", "licence": "l"},)
    told = {"init_sha256": "c0ffee", "init_data": data, "scaling": ScalingSettings(background_px=30.0)}
    begin(run, RunConfig(tiny, spec, str(tmp_path / "a"), "h9c2", **told))
    config = run.config()
    assert (config.settings, config.pairs, config.source) == (tiny, spec, str(tmp_path / "a"))
    assert (config.init, config.init_sha256, config.init_data) == ("h9c2", "c0ffee", data)
    assert config.scaling == ScalingSettings(background_px=30.0)


def test_history_leaves_a_torn_line_out_and_a_rewound_one_what_comes_again(run: RunFolder) -> None:
    assert run.history() == []
    for event in (StartScored(scores={}), epoch(0), Notice(message="µ"), epoch(1), epoch(2)):
        run.log(event)
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"event": "EpochDone", "epo')
    assert [entry["event"] for entry in run.history()] == [
        "StartScored",
        "EpochDone",
        "Notice",
        "EpochDone",
        "EpochDone",
    ]
    run.rewind(1, is_scored=True)
    run.log(epoch(1))
    said = run.history()
    assert [(entry["event"], entry.get("epoch")) for entry in said] == [
        ("StartScored", None),
        ("EpochDone", 0),
        ("Notice", None),
        ("EpochDone", 1),
    ]
    run.rewind(0, is_scored=False)
    assert [entry["event"] for entry in run.history()] == ["Notice"]


def test_infinite_scores_are_json_and_come_back(run: RunFolder) -> None:
    scores = {"constant": {"psnr": inf, "ssim": 1.0}}
    run.log(StartScored(scores=scores))
    (line,) = (run.path / "events.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["scores"] == {"constant": {"psnr": None, "ssim": 1.0}}
    run.rewind(5, is_scored=True)
    assert [entry["scores"] for entry in run.history()] == [scores]


def test_table_has_a_line_for_each_epoch(run: RunFolder) -> None:
    run.log(replace(epoch(0), scores={}, validation_losses={}))
    run.log(epoch(1))
    lines = (run.path / "epochs.csv").read_text().splitlines()
    assert lines[0] == (
        "epoch,fraction,best,model,training_l1,validation_l1,score_ssim,score_psnr,score_pearson,score_detail_pearson"
    )
    assert lines[1:] == ["0,0.5,False,,0.25,,,,,", "1,0.5,False,,0.25,0.5,0.5,20.0,0.6,0.3"]


def test_previews_come_back_as_they_were(run: RunFolder) -> None:
    assert run.preview_images() is None
    crops = [np.full((4, 5), value, np.float32) for value in (-9, 0, 9)]
    truth = [np.full((4, 5), value, np.float32) for value in (0, 0.5, 1)]
    run.previews.write_crops(crops, truth)
    run.previews.write_stains(None, truth)
    run.previews.write_stains(12, truth[:1])
    found = run.preview_images()
    assert found is not None
    assert found.brightfield.shape == (3, 4, 5)
    assert [int(image[0, 0]) for image in found.brightfield] == [0, 128, 255]
    assert [int(image[0, 0]) for image in found.truth] == [0, 128, 255]
    assert found.stains == {12: run.path / "previews" / "epoch-0012.tif"}
    assert read_preview(found.stains[12]).shape == (1, 4, 5)  # of a single crop, too
    assert found.start is not None
    found.stains[12].write_bytes(b"no image")
    with pytest.raises(FileError, match=r"epoch-0012\.tif"):
        read_preview(found.stains[12])


def test_state_tells_what_can_be_done_with_a_run(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    assert run.state() == "damaged"
    assert not run.path.exists()  # looking makes nothing
    events = train(pairs, run.path, tiny)
    while not run.checkpoint.exists():
        next(events)
    assert run.state() == "running"
    events.close()
    assert run.state() == "unfinished"
    list(train(pairs, run.path, tiny, resume=True))
    assert run.state() == "finished"
    run.extend(epochs=1)
    assert run.state() == "unfinished"
    for checkpoint in (run.checkpoint, run.previous):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    assert run.state() == "damaged"


def test_lock_of_another_process_is_told_and_goes_with_it(run: RunFolder) -> None:
    code = f"""
import sys, time
from pathlib import Path
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
with RunFolder(Path({str(run.path)!r})).lock():
    print("locked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        assert run.state() == "running"
        with pytest.raises(TrainingError, match=r"^Expected a run that nobody else trains, got .*; .*\.$"), run.lock():
            pass
        process.kill()
    with run.lock():
        pass


def test_second_trainer_of_a_run_is_refused(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    while not (tmp_path / "run" / "config.json").exists():
        next(events)
    with pytest.raises(TrainingError, match="nobody else trains"):
        list(train(pairs, tmp_path / "run", tiny, resume=True))
    events.close()


def test_run_that_is_extended_goes_on_where_it_ended(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, same_end: Callable[[Path, Path], bool]
) -> None:
    settings = replace(tiny, schedule="constant", holdout=("c",))  # whose learning rate does not know the length
    list(train(pairs, tmp_path / "whole", replace(settings, epochs=3)))
    list(train(pairs, tmp_path / "parts", replace(settings, epochs=1)))
    RunFolder(tmp_path / "parts").extend(epochs=2)
    events = list(train(pairs, tmp_path / "parts", settings, resume=True))
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1, 2]
    assert same_end(tmp_path / "whole", tmp_path / "parts")
    said = RunFolder(tmp_path / "parts").history()
    assert sum(entry["event"] == RunDone.__name__ for entry in said) == 2
    assert "Continued for 2 more epochs, 3 in all." in [entry.get("message") for entry in said]


@pytest.mark.parametrize("more", [{}, {"minutes": 5.0}, {"epochs": 1, "minutes": 1.0}, {"epochs": 0}])
def test_run_is_extended_by_what_it_is_counted_in(run: RunFolder, more: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="Expected more epochs"):
        run.extend(**more)  # type: ignore[arg-type]


def test_run_is_extended_from_what_it_is_once_nobody_else_changes_it(run: RunFolder) -> None:
    other = RunFolder(run.path)

    @contextmanager
    def locked_late() -> Iterator[None]:
        other.extend(epochs=5)
        yield

    before = run.config().settings.epochs
    assert before is not None
    run.lock = locked_late  # type: ignore[method-assign]
    run.extend(epochs=1)
    assert run.config().settings.epochs == before + 6
    run.lock = nullcontext  # type: ignore[method-assign]
    run.extend(epochs=before + 2, in_all=True)
    assert run.config().settings.epochs == before + 6
    run.extend(epochs=before + 8, in_all=True)
    assert run.config().settings.epochs == before + 8


def test_folder_without_a_run_is_not_extended_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Expected a run to resume") as refused:
        RunFolder(tmp_path / "none").extend(epochs=1)
    assert "--" not in str(refused.value)  # the viewer shows it too
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["thesis.txt", "pairs.json", "pairs.csv", "pairs"])
def test_folder_that_holds_other_files_is_refused(tmp_path: Path, tiny: TrainSettings, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(FileError, match=rf"new or empty folder .* which holds {name}; "):
        begin(RunFolder(tmp_path), RunConfig(tiny, None, "given pairs"))
    assert (tmp_path / name).read_text() == "precious"


def test_images_stored_for_a_run_may_be_there_before_it(tmp_path: Path, tiny: TrainSettings) -> None:
    (tmp_path / "pairs").mkdir()
    (tmp_path / ".DS_Store").write_text("")
    begin(RunFolder(tmp_path), RunConfig(tiny, None, "given pairs"))
    assert RunFolder(tmp_path).config().settings == tiny


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "checkpoint.previous.safetensors", "checkpoint.ckpt"])
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"progress": '{"step": 7}'}])
def test_checkpoint_of_something_else_is_refused_and_stays(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings, name: str, metadata: dict[str, str] | None
) -> None:
    foreign = save({"weight": torch.ones(3)}, metadata)
    (tmp_path / name).write_bytes(foreign)
    with pytest.raises(FileError, match=rf"new or empty folder .* which holds {name}; "):
        list(train(pairs, tmp_path, tiny))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: foreign}


def test_checkpoint_that_a_run_killed_at_once_left_is_no_hindrance(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings
) -> None:
    save_run(RunFolder(tmp_path), new_players(tiny), Progress())
    RunFolder(tmp_path).pairs.write_text("{}")
    assert isinstance(list(train(pairs, tmp_path, replace(tiny, epochs=1)))[-1], RunDone)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": {"speed": 1}}', '{"settings": null}'])
def test_damaged_settings_of_a_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError):
        RunFolder(tmp_path).config()
    assert RunFolder(tmp_path).state() == "damaged"


def test_fault_of_a_run_s_settings_is_a_part_of_one_sentence(run: RunFolder) -> None:
    path = run.path / "config.json"
    values = json.loads(path.read_text())
    values["settings"]["seed"] = -1
    path.write_text(json.dumps(values))
    with pytest.raises(TrainingError, match=r"^Expected the settings .*\(expected seed to be .*, got -1\); [^;]*\.$"):
        run.config()


def test_settings_of_a_run_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(TrainingError, match=r"config\.json"):
        RunFolder(tmp_path).config()


def test_kept_epochs_have_weights_and_a_card(run: RunFolder) -> None:
    for number in (10, 2):
        path = run.place_for(number)
        path.touch()
        path.with_suffix(".json").touch()
    run.place_for(3).touch()  # killed before its card was written
    assert list(run.kept()) == [2, 10]


def test_epochs_that_come_again_are_neither_kept_nor_shown(run: RunFolder) -> None:
    for number in (0, 1, 2, 10000):
        run.place_for(number).touch()
        run.place_for(number).with_suffix(".json").touch()
        run.previews.write_stains(number, [np.zeros((4, 4))])
    run.previews.write_stains(None, [np.zeros((4, 4))])
    run.previews.write_crops([np.zeros((4, 4))], [np.zeros((4, 4))])
    run.rewind(1, is_scored=True)
    assert sorted(path.name for path in run.models.iterdir()) == ["epoch-0000.json", "epoch-0000.safetensors"]
    shown = run.preview_images()
    assert shown is not None
    assert list(shown.stains) == [0]
    assert shown.start is not None


def test_what_a_killed_process_left_is_removed(run: RunFolder) -> None:
    run.place_for(0)
    left = [run.path / ".model.partial-7.safetensors", run.path / "models" / ".epoch-0001.partial-7.safetensors"]
    for path in left:
        path.touch()
    run.tidy()
    assert not any(path.exists() for path in left)
