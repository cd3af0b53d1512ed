"""What the threads of the fine-tuning widget do, without a viewer."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_mitostain._qt.tune_job import PairsChecked, TunePlan, check_job, resume_job, tune_job
from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import DeviceError, TrainingError
from napari_mitostain.events import Finding, RunDone, StepDone
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.training import check, stepper
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.spec import pairs_in


@pytest.fixture
def plan(tmp_path: Path, pairs_folder: Callable[..., Path], small_model: Any, tiny: TrainSettings) -> TunePlan:
    folder = pairs_folder("a.tif", "b.tif", "c.tif", "d.tif", shape=(64, 64))
    return TunePlan(pairs_in(folder), "small", tiny, tmp_path / "heart")


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many networks are left whenever the memory of the GPU is given back."""
    counts: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: counts.append(networks()))
    return counts


def networks() -> int:
    return sum(issubclass(type(thing), Network) for thing in gc.get_objects())


def test_run_that_pauses_leaves_no_network_in_memory(plan, given_back):
    before = networks()
    events = tune_job(plan)
    next(event for event in events if isinstance(event, StepDone))
    assert networks() > before
    events.close()
    assert given_back == [before]
    assert RunFolder(plan.output).state() == "unfinished"


def test_gpu_that_is_lost_while_pairs_are_checked_is_a_finding(plan, monkeypatch):
    def lost(*_: Any) -> Any:
        raise RuntimeError("CUDA error: unspecified launch failure")
        yield

    monkeypatch.setattr(check, "check_pairs", lost)
    finding, end = [event for event in check_job(plan) if isinstance(event, (Finding, PairsChecked))]
    assert finding.severity == "error"
    assert "got its loss (CUDA error" in finding.message
    assert isinstance(end, PairsChecked)


def test_lost_gpu_that_takes_no_memory_back_does_not_hide_its_loss(plan, monkeypatch):
    def lost(*_: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lost)
    monkeypatch.setattr(stepper, "train_step", lost)
    with pytest.raises(DeviceError, match="resume the run"):
        list(tune_job(plan))


def test_run_that_fails_leaves_no_network_in_memory(plan, given_back, monkeypatch):
    def fail(*_: Any) -> None:
        raise DeviceError("Expected a GPU, got none any more; resume on another device.")

    before = networks()
    monkeypatch.setattr(stepper, "train_step", fail)
    with pytest.raises(DeviceError) as caught:
        list(tune_job(plan))
    assert given_back == [before]
    assert "any more" in str(caught.value)


def test_resumed_run_goes_on_to_its_end(plan):
    events = tune_job(plan)
    next(event for event in events if isinstance(event, StepDone))
    events.close()
    assert isinstance([*resume_job(plan.output)][-1], RunDone)
    assert isinstance([*resume_job(plan.output, longer=1)][-1], RunDone)
    assert RunFolder(plan.output).config().settings.epochs == 3


def test_one_run_at_a_time_on_this_computer(plan, tmp_path):
    events = tune_job(plan)
    next(event for event in events if isinstance(event, StepDone))
    other = TunePlan(plan.pairs, plan.model, plan.settings, tmp_path / "liver")
    with pytest.raises(TrainingError, match="got heart; pause or stop it first"):
        list(tune_job(other))
    events.close()
    assert isinstance([*tune_job(other)][-1], RunDone)


def test_check_turns_what_goes_wrong_into_a_finding(plan, tiny, tmp_path):
    nowhere = TunePlan(pairs_in(tmp_path / "nowhere"), "small", tiny)
    *_, finding, end = check_job(nowhere)
    assert isinstance(finding, Finding)
    assert [finding.severity, finding.message.startswith("Expected a folder")] == ["error", True]
    assert isinstance(end, PairsChecked)
    unknown = TunePlan(plan.pairs, "unknown", tiny)
    *_, finding, end = check_job(unknown)
    assert isinstance(finding, Finding)
    assert "unknown" in finding.message
