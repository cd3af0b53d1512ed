"""What goes wrong while a run trains: one sentence each, and a run that can go on."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import DeviceError, FileError, ModelError, TrainingError
from napari_mitostain.events import EpochDone, Notice, RunDone, RunStarted, StepDone
from napari_mitostain.model.device import release_memory
from napari_mitostain.model.loading import load_model
from napari_mitostain.training import checkpoints, session, step, stepper, trainer, validation
from napari_mitostain.training.epoch_losses import EpochLosses
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.players import Players
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

SENTENCE = r"^Expected [^\n]*; [^\n]*\.$"

CheckpointOf = Callable[[Path], dict[str, torch.Tensor]]


def failing(times: int, error: Exception, work: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function fail the first times it is called."""
    left = [times]

    def failing_work(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return work(*arguments)

    return failing_work


def until(events: Any, kind: type) -> Any:
    return next(event for event in events if isinstance(event, kind))


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize("pairs", [[], None])
def test_no_pairs(pairs: Any, tiny: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"pair.*; .*\.$"):
        list(train(pairs, tmp_path / "run", tiny))
    assert not (tmp_path / "run").exists()


def test_one_pair_trains_on_one_side_of_itself(
    easy_pair: Callable[..., Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    events = list(train([easy_pair(0, "a", 160)], tmp_path / "run", tiny))
    assert events[-1].scores  # type: ignore[attr-defined]
    assert any("gap" in event.message for event in events if isinstance(event, Notice))


def test_one_pair_too_small_to_be_split_trains_without_validation(
    easy_pair: Callable[..., Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    events = list(train([easy_pair(0, "a", 32)], tmp_path / "run", tiny))
    assert isinstance(events[-1], RunDone)
    assert events[-1].scores == {}


def test_images_smaller_than_a_patch_are_refused_before_anything_is_written(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="64×64"):
        list(train(pairs, tmp_path / "run", replace(tiny, patch=64)))
    assert not (tmp_path / "run").exists()


def test_losses_that_are_not_finite_stop_the_run_and_keep_the_former_checkpoint(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_of: CheckpointOf,
    equal: Callable[..., bool],
) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, StepDone)
    events.close()
    before = checkpoint_of(tmp_path / "run")
    whole = stepper.train_step
    monkeypatch.setattr(stepper, "train_step", lambda *arguments: whole(*arguments) * torch.nan)
    with pytest.raises(TrainingError, match=r"finite losses, got .*; start a new run with a lower learning rate\."):
        list(train(pairs, tmp_path / "run", tiny, resume=True))
    events = train(pairs, tmp_path / "run", tiny, resume=True)
    until(events, StepDone)
    events.close()  # before the losses were looked at
    assert equal(before, checkpoint_of(tmp_path / "run"))
    monkeypatch.undo()
    assert isinstance(list(train(pairs, tmp_path / "run", tiny, resume=True))[-1], RunDone)


def test_advice_on_weights_that_are_not_finite_can_be_followed(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    events = train(pairs, run, tiny)
    until(events, EpochDone)
    monkeypatch.setattr(Players, "are_finite", lambda _: False)
    advice = rf"finite weights, got others at step 8; .* lower learning rate .*\(--init {re.escape(str(run))}\)\.$"
    with pytest.raises(TrainingError, match=advice):
        list(events)
    monkeypatch.undo()
    settings = replace(tiny, learning_rate=tiny.learning_rate / 10, epochs=1)
    assert isinstance(list(train(pairs, tmp_path / "new", settings, load_model(run)))[-1], RunDone)


def test_weights_that_are_not_finite_are_not_saved(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, checkpoint_of: CheckpointOf
) -> None:
    with pytest.raises(TrainingError, match=r"Expected finite (losses|weights)"):
        list(train(pairs, tmp_path / "run", replace(tiny, learning_rate=1e38, epochs=30)))
    assert all(bool(value.isfinite().all()) for value in checkpoint_of(tmp_path / "run").values())


def test_lack_of_memory_halves_the_batch_and_says_so(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    whole = stepper.train_step

    def limited(*arguments: Any) -> Any:
        seen.append(arguments[4])
        if len(arguments[1].brightfield) / arguments[4] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*arguments)

    monkeypatch.setattr(stepper, "train_step", limited)
    events = list(train(pairs, tmp_path / "run", replace(tiny, batch_size=4, epochs=1)))
    said = [event.message for event in events if isinstance(event, Notice) and "Memory" in event.message]
    assert [text.split(":")[0] for text in said] == ["Memory does not take 4 patches at a time"] * 2
    assert seen == [1, 2, 4, 4]  # two steps, the first of them tried three times
    assert isinstance(events[-1], RunDone)


@pytest.mark.parametrize("stops", [False, True])
def test_lack_of_memory_between_both_players_moves_neither_twice(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_of: CheckpointOf,
    stops: bool,
) -> None:
    monkeypatch.setattr(step, "generator_losses", failing(1, OUT_OF_MEMORY, step.generator_losses))
    events = train(pairs, tmp_path / "run", replace(tiny, batch_size=4, epochs=1))
    if stops:
        next(event for event in events if isinstance(event, Notice) and "Memory" in event.message)
        events.close()  # type: ignore[attr-defined]
    else:
        assert until(events, EpochDone).losses["discriminator"] > 0.1
        assert isinstance(list(events)[-1], RunDone)
    saved = checkpoint_of(tmp_path / "run")
    moves = {float(saved[f"{player}-optimizer/0/step"]) for player in ("generator", "discriminator")}
    assert moves == {1.0 if stops else 2.0}


def test_lack_of_memory_for_one_patch_is_a_device_error(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepper, "train_step", failing(99, OUT_OF_MEMORY, stepper.train_step))
    with pytest.raises(DeviceError, match="smaller patch") as caught:
        list(train(pairs, tmp_path / "run", tiny))
    caught.match(SENTENCE)


def test_lack_of_memory_at_the_scores_is_a_device_error_and_the_epoch_is_kept(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    same_end: Callable[[Path, Path], bool],
) -> None:
    settings = replace(tiny, holdout=("c",))
    list(train(pairs, tmp_path / "whole", settings))
    with monkeypatch.context() as patched:
        patched.setattr(validation, "stitch", failing(1, OUT_OF_MEMORY, validation.stitch))
        with pytest.raises(DeviceError, match=r"memory for validation, .* resume the run") as caught:
            list(train(pairs, tmp_path / "run", settings))
        caught.match(SENTENCE)
    resumed = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert sum(isinstance(event, StepDone) for event in resumed) == 8  # the first of three epochs of 4 was not lost
    assert same_end(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA",
        "CUDA error: unspecified launch failure",
        "Unable to find an engine: no CUDA-capable device is detected",
    ],
)
def test_gpu_that_goes_away_leaves_a_run_to_resume(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    same_end: Callable[[Path, Path], bool],
) -> None:
    list(train(pairs, tmp_path / "whole", replace(tiny, epochs=1)))
    with monkeypatch.context() as patched:
        patched.setattr(stepper, "train_step", failing(1, RuntimeError(text), stepper.train_step))
        with pytest.raises(DeviceError, match=r"its loss .* resume the run") as caught:
            list(train(pairs, tmp_path / "run", replace(tiny, epochs=1)))
        caught.match(SENTENCE)
    list(train(pairs, tmp_path / "run", tiny, resume=True))
    assert same_end(tmp_path / "run", tmp_path / "whole")


LOST = RuntimeError("CUDA error: unspecified launch failure")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Players, "move_average"),
        (Players, "are_finite"),
        (EpochLosses, "means"),
        (checkpoints, "save_checkpoint"),
        (trainer, "load_run"),
    ],
)
def test_gpu_that_goes_away_is_told_wherever_it_shows(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    monkeypatch.setattr(owner, name, failing(99, LOST, getattr(owner, name)))
    with pytest.raises(DeviceError, match=r"its loss .* resume the run") as caught:
        list(train(pairs, tmp_path / "run", tiny))
    caught.match(SENTENCE)


def test_gpu_that_has_gone_is_told_at_a_stop(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, StepDone)
    monkeypatch.setattr(Players, "are_finite", failing(99, LOST, Players.are_finite))
    with pytest.raises(DeviceError, match=r"its loss .* resume the run"):
        events.close()


def test_gpu_that_has_gone_does_not_hide_it_when_its_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "empty_cache", failing(1, LOST, torch.cuda.empty_cache))
    release_memory(torch.device("cuda"))


def test_other_faults_of_a_step_are_not_hidden(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepper, "train_step", failing(1, RuntimeError("shapes do not fit"), stepper.train_step))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(train(pairs, tmp_path / "run", tiny))


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_in_the_middle_of_a_checkpoint_leaves_both_former_ones(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    same_end: Callable[[Path, Path], bool],
) -> None:
    monkeypatch.setattr(session, "_CHECKPOINT_SECONDS", 0.0)
    list(train(pairs, tmp_path / "whole", tiny))
    events = train(pairs, tmp_path / "run", tiny)
    for _ in range(3):
        until(events, StepDone)
    run = RunFolder(tmp_path / "run")
    before = [path.read_bytes() for path in (run.checkpoint, run.previous)]
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full_disk)
        with pytest.raises(FileError, match="No space left on device; make room"):
            next(events)
    assert [path.read_bytes() for path in (run.checkpoint, run.previous)] == before
    assert not list(run.path.glob(".*partial*"))
    list(train(pairs, run.path, tiny, resume=True))
    assert same_end(tmp_path / "whole", run.path)


def test_full_disk_at_the_stop_is_told(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, StepDone)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(FileError, match="No space left"):
        events.close()
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_log_that_cannot_be_written_is_told(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, StepDone)
    (tmp_path / "run" / "events.jsonl").unlink()
    (tmp_path / "run" / "events.jsonl").mkdir()  # refuses to be appended to, as a full disk does
    with pytest.raises(FileError, match=r"events\.jsonl"):
        list(events)


@pytest.mark.parametrize("kind", [RunStarted, StepDone, EpochDone])
def test_folder_that_is_deleted_while_the_run_trains_is_not_made_again(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, kind: type
) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, kind)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileError, match="deleted or renamed") as caught:
        list(events)
    caught.match(SENTENCE)
    assert not (tmp_path / "run").exists()


def test_folder_that_is_deleted_is_told_at_a_stop(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    events = train(pairs, tmp_path / "run", tiny)
    until(events, StepDone)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileError, match="deleted or renamed"):
        events.close()
    assert not (tmp_path / "run").exists()


def damaged(content: bytes, damage: str) -> bytes:
    size = len(content)
    half = (8 + int.from_bytes(content[:8], "little") + size) // 2  # of the numbers
    made = {"cut": content[:-10], "zeros": bytes(size), "half zeros": content[:half] + bytes(size - half)}
    return made[damage]


@pytest.mark.parametrize("damage", ["cut", "zeros", "half zeros", "gone"])
def test_corrupt_checkpoint_falls_back_to_the_one_before(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    same_end: Callable[[Path, Path], bool],
) -> None:
    monkeypatch.setattr(session, "_CHECKPOINT_SECONDS", 0.0)
    list(train(pairs, tmp_path / "whole", tiny))
    run = RunFolder(tmp_path / "run")
    events = train(pairs, run.path, tiny)
    for _ in range(6):  # two steps into the second epoch
        until(events, StepDone)
    events.close()
    content = run.checkpoint.read_bytes()
    if damage == "gone":
        run.checkpoint.unlink()
    else:
        run.checkpoint.write_bytes(damaged(content, damage))
    assert run.state() == "unfinished"
    resumed = list(train(pairs, run.path, tiny, resume=True))
    said = [event.message for event in resumed if isinstance(event, Notice) and "checkpoint" in event.message]
    assert len(said) == 1
    assert same_end(tmp_path / "whole", run.path)
    epochs = [entry["epoch"] for entry in run.history() if entry["event"] == "EpochDone"]
    assert epochs == [0, 1, 2]


def test_run_whose_checkpoints_are_all_damaged_is_refused(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    list(train(pairs, run.path, tiny))
    for path in (run.checkpoint, run.previous):
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="damaged"):
        list(train(pairs, run.path, tiny, resume=True))


def test_run_without_its_checkpoints_does_not_start_again_from_random_weights(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    list(train(pairs, run.path, tiny))
    for path in (run.checkpoint, run.previous):
        path.unlink()
    with pytest.raises(TrainingError, match=r"Expected the checkpoint .* got none"):
        list(train(pairs, run.path, tiny, resume=True))


def test_folder_that_cannot_be_made_is_refused(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="can be written") as caught:
        list(train(pairs, tmp_path / "file" / "run", tiny))
    caught.match(SENTENCE)


def test_read_only_folder_is_refused(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(train(pairs, tmp_path / "run", replace(tiny, epochs=1)))
    is_open = os.open

    def denied(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if str(path).startswith(str(tmp_path)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return is_open(path, flags, *rest, **more)

    monkeypatch.setattr("os.open", denied)  # whoever is root may write everywhere
    with pytest.raises(FileError, match="may write to") as caught:
        list(train(pairs, tmp_path / "run", tiny, resume=True))
    caught.match(SENTENCE)
    assert RunFolder(tmp_path / "run").state() == "finished"


def test_nothing_to_resume(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no config\.json"):
        list(train(pairs, tmp_path / "run", tiny, resume=True))
    assert not (tmp_path / "run").exists()


def test_pairs_that_were_in_memory_have_to_be_given_again(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    list(train(pairs, tmp_path / "run", replace(tiny, epochs=1)))
    with pytest.raises(TrainingError, match="give them again") as caught:
        list(train(None, tmp_path / "run", tiny, resume=True))
    caught.match(SENTENCE)
