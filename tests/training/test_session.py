"""A run goes on from wherever it was stopped, and ends bit for bit as if it never had been."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from napari_mitostain.config import ScalingSettings, StainSettings, TrainSettings, WeightSettings
from napari_mitostain.events import PASSING, EpochDone, Event, Measured, RunDone, RunStarted, StepDone
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.scoring import score
from napari_mitostain.staining import stain
from napari_mitostain.training import session
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train
from napari_mitostain.training.validation import Validator

SameEnd = Callable[[Path, Path], bool]
CheckpointOf = Callable[[Path], dict[str, torch.Tensor]]


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture(scope="module")
def settings(tiny: TrainSettings) -> TrainSettings:
    """Everything that a checkpoint has to hold: both players, a moving average, crops, augmentation."""
    return replace(tiny, holdout=("c",), ema=0.9, clip_gradients=1.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, settings: TrainSettings, pairs: list[Pair]) -> Path:
    """A run that was never stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    list(train(pairs, run, settings))
    torch.set_num_threads(threads)
    return run


def test_events_tell_how_far_the_run_is(pairs: list[Pair], settings: TrainSettings, tmp_path: Path) -> None:
    events = list(train(pairs, tmp_path / "run", settings))
    (started,) = of_kind(events, RunStarted)
    assert started.acquisitions == {"training": ["a", "b"], "validation": ["c"]}
    assert (started.training, started.validation) == (4, 1)
    steps = of_kind(events, StepDone)
    assert [event.step for event in steps] == list(range(1, 13))  # 4 pairs, 2 crops each, 2 a batch, 3 epochs
    # fractions are sums of fractions: one rounding of float64 each
    assert [event.fraction for event in steps] == pytest.approx([step / 12 for step in range(1, 13)])
    epochs = of_kind(events, EpochDone)
    assert [event.epoch for event in epochs] == [0, 1, 2]
    assert [event.fraction for event in epochs] == pytest.approx([1 / 3, 2 / 3, 1])
    names = {"generator", "adversarial", "l1", "discriminator"}
    assert all(names == set(event.losses) == set(event.validation_losses) for event in epochs)
    assert all(set(event.scores) == {"ssim", "psnr", "pearson", "detail_pearson"} for event in epochs)
    assert [event.model for event in epochs] == ["epoch-0000", "epoch-0001", "epoch-0002"]


@pytest.mark.parametrize("stop", [0, 1, 2, 4, 5, 6, 11, 17, 18])
def test_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    pairs: list[Pair], settings: TrainSettings, whole: Path, tmp_path: Path, stop: int, same_end: SameEnd
) -> None:
    events = train(pairs, tmp_path / "run", settings)
    while not isinstance(next(events), RunStarted):
        pass
    steps = sum(isinstance(next(events), StepDone) for _ in range(stop))
    events.close()
    resumed = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert sum(isinstance(event, StepDone) for event in resumed) == 12 - steps
    assert same_end(whole, tmp_path / "run")
    assert epochs_of(tmp_path / "run") == epochs_of(whole)


def epochs_of(run: Path) -> list[dict[str, Any]]:
    said = [entry for entry in RunFolder(run).history() if entry["event"] in ("EpochDone", "StartScored")]
    return [{name: value for name, value in entry.items() if name != "time"} for entry in said]


TRAIN = """
import sys
import torch
from pathlib import Path
from types import SimpleNamespace
from napari_mitostain.config import TrainSettings
from napari_mitostain.training import session
from napari_mitostain.training.trainer import train
from napari_mitostain.training.validation import Validator

torch.set_num_threads(1)
session._CHECKPOINT_SECONDS = 0.0
folder, run, settings = Path(sys.argv[1]), Path(sys.argv[2]), TrainSettings.from_dict(eval(sys.argv[3]))
resume = (run / "config.json").exists()
for event in train(None if resume else folder, run, settings, resume=resume):
    print(type(event).__name__, flush=True)
"""


def test_run_that_is_killed_again_and_again_ends_like_one_that_is_not(
    pairs_folder: Callable[..., Path], settings: TrainSettings, tmp_path: Path, same_end: SameEnd
) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "b_t2.tif", "c_t1.tif", shape=(40, 40))
    moments, kills, done = random.Random(0), 0, -1

    def process(run: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", TRAIN, str(folder), str(tmp_path / run), str(settings.to_dict())]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with process("whole") as uninterrupted:
        assert uninterrupted.communicate()[0].count("StepDone") == 12
    while done:
        with process("run") as killed:
            assert killed.stdout is not None
            for _ in range(moments.randint(1, 48)):  # a start says some ten events, a validation twenty
                killed.stdout.readline()
            time.sleep(moments.uniform(0, 0.03))  # anywhere in a step, a validation, or a file that is written
            killed.send_signal(signal.SIGKILL)
            killed.stdout.read()
            done = killed.wait()
        kills += done == -signal.SIGKILL
        assert kills < 40
    assert kills >= 3
    assert same_end(tmp_path / "whole", tmp_path / "run")
    assert epochs_of(tmp_path / "run") == epochs_of(tmp_path / "whole")
    assert (tmp_path / "run" / "epochs.csv").read_text() == (tmp_path / "whole" / "epochs.csv").read_text()
    assert not [path for path in (tmp_path / "run").rglob("*") if "partial" in path.name]


def test_seed_determines_the_run(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, checkpoint_of: CheckpointOf, equal: Callable[..., bool]
) -> None:
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        torch.manual_seed(len(name))  # the state that must not matter
        list(train(pairs, tmp_path / name, replace(tiny, epochs=1, holdout=(), seed=seed)))
    first, same, other = (checkpoint_of(tmp_path / name) for name in ("first", "same", "other"))
    assert equal(first, same)
    assert not equal(first, other)


def test_resuming_a_finished_run_changes_nothing(
    pairs: list[Pair], settings: TrainSettings, tmp_path: Path, checkpoint_of: CheckpointOf, equal: Callable[..., bool]
) -> None:
    list(train(pairs, tmp_path / "run", settings))
    before, model = checkpoint_of(tmp_path / "run"), (tmp_path / "run" / "model.safetensors").read_bytes()
    events = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert not of_kind(events, StepDone)
    assert not of_kind(events, EpochDone)
    assert isinstance(events[-1], RunDone)
    assert equal(before, checkpoint_of(tmp_path / "run"))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == model


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_best_model_stays_where_its_epoch_is_gone(
    pairs: list[Pair], settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    scores = iter([0.9, 0.5, 0.4, 0.3, 0.2, 0.1])  # the first epoch is the best
    measured = Validator.validate

    def validate(*arguments: Any, **options: Any) -> Iterator[Event]:
        found = yield from measured(*arguments, **options)
        return replace(found, scores={**found.scores, "detail_pearson": next(scores)}) if found.scores else found

    monkeypatch.setattr(Validator, "validate", validate)
    run = RunFolder(tmp_path / "run")
    list(train(pairs, run.path, settings))
    best = load_model(run.path).generator.state_dict()
    for path in (run.path / "models").glob("*.safetensors"):
        path.write_bytes(b"") if harm == "damaged" else path.unlink()
    list(train(pairs, run.path, settings, resume=True))
    assert all(torch.equal(value, best[name]) for name, value in load_model(run.path).generator.state_dict().items())


def test_checkpoints_are_written_while_the_run_goes_on(
    pairs: list[Pair],
    tiny: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_of: CheckpointOf,
    equal: Callable[..., bool],
) -> None:
    monkeypatch.setattr(session, "_CHECKPOINT_SECONDS", 0.0)
    events = train(pairs, tmp_path / "run", tiny)
    while not isinstance(event := next(events), StepDone):
        pass
    first = checkpoint_of(tmp_path / "run")
    assert event.step == 1
    next(events)
    assert not equal(first, checkpoint_of(tmp_path / "run"))
    events.close()


def test_scores_can_be_stopped_between_pairs_and_are_taken_once_an_epoch(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path
) -> None:
    settings = replace(tiny, epochs=2, holdout=("b",))
    events = list(train(pairs, tmp_path / "run", settings))
    started = next(number for number, event in enumerate(events) if isinstance(event, RunStarted))
    scored = [(event.done, event.total) for event in of_kind(events[started:], Measured)]
    baselines = [(0, 2)] * 3 + [(1, 2)] * 4 + [(2, 2)]  # three of each pair, and when it is over
    norms = [(number, 16) for number in range(1, 17)]  # batches of two patches
    epoch = [(0, 2), (1, 2), (1, 2), (2, 2), (2, 2)]  # a tile of each pair, and when it is over; then their losses
    assert scored == baselines + 2 * (norms + epoch)  # and nothing at the end
    (tmp_path / "run" / "model.safetensors").unlink()
    resumed = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert of_kind(resumed, RunDone)[0].scores == pytest.approx(of_kind(events, RunDone)[0].scores)
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_model_of_a_run_is_its_best_epoch_and_no_later_one(
    pairs: list[Pair], settings: TrainSettings, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    events = list(train(pairs, run.path, replace(settings, epochs=8, learning_rate=0.05, schedule="constant")))
    epochs, (done,) = of_kind(events, EpochDone), of_kind(events, RunDone)
    details = [event.scores["detail_pearson"] for event in epochs]
    assert [event.best for event in epochs] == [
        detail > max(details[:n], default=-2) for n, detail in enumerate(details)
    ]
    best = max(range(8), key=details.__getitem__)
    assert done.epoch == best
    assert done.scores == epochs[best].scores
    assert run.model.read_bytes() == run.kept()[best].read_bytes()
    assert load_model(run.path).card.scores["validation"] == epochs[best].scores
    assert list(run.kept()) == list(range(8))


def test_run_without_validation_takes_the_last_epoch(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    *_, done = train(pairs, run.path, replace(tiny, holdout=()))
    assert isinstance(done, RunDone)
    assert (done.epoch, done.scores, done.verdict) == (None, {}, "")
    assert run.model.read_bytes() == run.kept()[2].read_bytes()
    previews = run.preview_images()
    assert previews is not None
    assert list(previews.stains) == [0, 1, 2]
    assert previews.truth.shape == (5, 32, 32)


def test_budget_of_minutes_ends_the_run(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    settings = replace(tiny, epochs=None, minutes=0.005)  # 0.3 s of steps of some milliseconds
    events = list(train(pairs, tmp_path / "run", settings))
    fractions = [event.fraction for event in of_kind(events, StepDone)]
    assert fractions == sorted(fractions)
    assert of_kind(events, EpochDone)[-1].fraction == 1
    assert all(fraction < 1 for fraction in fractions[:-1])
    assert isinstance(events[-1], RunDone)


def test_run_of_minutes_ends_with_an_epoch_that_is_validated_whenever_the_time_is_up(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * next(ticks))  # by which everything takes some time
    monkeypatch.setattr(session, "time", clock)
    for hundredths in range(30, 42):
        settings = replace(tiny, epochs=None, minutes=hundredths / 6000)
        last = of_kind(list(train(pairs, tmp_path / f"run {hundredths}", settings)), EpochDone)[-1]
        assert (last.fraction, bool(last.scores)) == (1, True)


def test_time_that_the_caller_takes_is_not_the_runs(pairs: list[Pair], tiny: TrainSettings, tmp_path: Path) -> None:
    events = train(pairs, tmp_path / "run", replace(tiny, epochs=None, minutes=0.5))
    while not isinstance(next(events), StepDone):
        pass
    time.sleep(1.0)
    event = next(event for event in events if isinstance(event, StepDone))
    assert event.fraction < 1 / 30  # a second is a thirtieth of the run
    events.close()


@pytest.mark.parametrize("generator_loss", ["tn", "l1"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_an_easy_pair_is_fitted(
    tmp_path: Path, tiny: TrainSettings, easy_pair: Callable[..., Pair], generator_loss: Any, batch_size: int
) -> None:
    pair = easy_pair(0, "a", 64)
    settings = replace(tiny, epochs=15, crops_per_frame=8, base_channels=4, generator_loss=generator_loss, holdout=())
    settings = replace(settings, learning_rate=1e-2, batch_size=batch_size)
    events = list(train([pair], tmp_path / "run", settings))
    losses = [event.losses["l1"] for event in of_kind(events, EpochDone)]
    assert losses[-1] < 0.7 * losses[0]
    model = load_model(tmp_path / "run" / "model.safetensors")
    model = Model(replace(model.card, scaling=ScalingSettings()), model.generator)
    frame = pair.read()
    after = score(stain(frame.brightfield, model, StainSettings(precision="float32")), frame.target)
    # Untrained, the stain is a random function of its neighbourhood: the correlation may be anything but near 1.
    # What the target is, a rectified and blurred image, a network of two levels can express nearly exactly.
    assert after.pearson > 0.8
    assert after.detail_pearson > 0.8


def test_chosen_weights_are_those_of_config_card_and_a_resumed_run(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, same_end: SameEnd
) -> None:
    chosen = WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), sigmas=(0.5, 2.0), scope="stack")
    settings = replace(tiny, epochs=2, holdout=("c",), weighting=chosen)
    list(train(pairs, tmp_path / "whole", settings))
    events = train(pairs, tmp_path / "parts", settings)
    while not isinstance(next(events), StepDone):
        pass
    events.close()
    list(train(pairs, tmp_path / "parts", TrainSettings(epochs=1), resume=True))
    assert same_end(tmp_path / "whole", tmp_path / "parts")
    for run in (tmp_path / "whole", tmp_path / "parts"):
        config = json.loads((run / "config.json").read_text())["settings"]
        assert WeightSettings.from_dict(config["weighting"]) == chosen
        assert load_model(run / "model.safetensors").card.weighting == chosen


def test_what_passes_is_not_recorded(whole: Path) -> None:
    names = {kind.__name__ for kind in PASSING}
    assert not [entry for entry in RunFolder(whole).history() if entry["event"] in names]
