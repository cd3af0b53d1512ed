"""Training runs: a folder that says everything, resumes bit for bit, and ends in a model that stains."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import ScalingSettings, StainSettings, TrainSettings, WeightSettings
from napari_mitostain.errors import DeviceError, FileError, ImageError, ModelError, SettingsError, TrainingError
from napari_mitostain.events import PASSING, EpochDone, Event, Measured, Notice, RunDone, RunStarted, StepDone
from napari_mitostain.image import scale_brightfield
from napari_mitostain.model.library import load_card
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.scoring import score
from napari_mitostain.staining import stain
from napari_mitostain.training import session
from napari_mitostain.training.pair import Pair, pair_of_arrays
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

TINY = TrainSettings(
    epochs=3,
    patch=32,
    base_channels=2,
    depth=2,
    batch_size=2,
    crops_per_frame=2,
    minimum_area=0,
    precision="float32",
    device="cpu",
    pixel_size_um=0.08,
)


def easy_pair(seed: int, acquisition: str, side: int = 40) -> Pair:
    """Draw brightfield of which the fluorescence is a blurred function: bright where it is dark."""
    brightfield = scale_brightfield(gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 1.5))
    target = gaussian_filter((-brightfield).clip(0, None), 1)
    return pair_of_arrays(f"pair {seed}", acquisition, brightfield, (target / target.max()).astype(np.float32))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Five pairs of three acquisitions."""
    return [easy_pair(seed, acquisition) for seed, acquisition in enumerate("aabbc")]


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint.safetensors")


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_run_is_a_folder_with_everything_in_it(pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "c_t1.tif")
    run = tmp_path / "deep" / "run"
    events = list(train(folder, run, replace(TINY, holdout=("b",))))
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint.safetensors",
        "config.json",
        "events.jsonl",
        "model.json",
        "model.safetensors",
    ]
    config = json.loads((run / "config.json").read_text())
    assert config["pairs"] == str(folder)
    assert TrainSettings.from_dict(config["settings"]) == replace(TINY, holdout=("b",))
    logged = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in logged] == ["RunStarted", *["EpochDone"] * 3, "RunDone"]
    assert [entry["time"] for entry in logged] == sorted(entry["time"] for entry in logged)
    assert [type(event).__name__ for event in events if not isinstance(event, PASSING)] == [
        entry["event"] for entry in logged
    ]


def test_events_tell_how_far_the_run_is(pairs: list[Pair], tmp_path: Path) -> None:
    events = list(train(pairs, tmp_path / "run", replace(TINY, holdout=("c",))))
    (started,) = of_kind(events, RunStarted)
    assert started.acquisitions == {"training": ["a", "b"], "validation": ["c"]}
    assert (started.training, started.validation) == (4, 1)
    steps = of_kind(events, StepDone)
    assert [event.step for event in steps] == list(range(1, 13))  # 4 pairs, 2 crops each, 2 a batch, 3 epochs
    # fractions are sums of fractions: one rounding of float64 each
    assert [event.fraction for event in steps] == pytest.approx([step / 12 for step in range(1, 13)])
    epochs = of_kind(events, EpochDone)
    assert [event.epoch for event in epochs] == [0, 1, 2]
    assert epochs[-1].fraction == 1
    assert all({"generator", "adversarial", "l1", "discriminator"} == set(event.losses) for event in epochs)
    assert all(set(event.scores) == {"ssim", "psnr", "pearson", "detail_pearson"} for event in epochs)
    assert of_kind(events, RunDone)[0].scores == epochs[-1].scores
    assert of_kind(events, Notice) == []


def test_model_of_a_run_loads_and_stains(pairs: list[Pair], tmp_path: Path) -> None:
    *_, done = train(pairs, tmp_path / "my run", replace(TINY, holdout=("c",)))
    assert isinstance(done, RunDone)
    model = load_model(done.model)
    assert (model.card.name, model.card.base_channels, model.card.depth) == ("my run", 2, 2)
    assert model.card.pixel_size_um == 0.08
    assert model.card.scores["validation"] == pytest.approx(done.scores)
    assert model.card.training == json.loads(json.dumps(replace(TINY, holdout=("c",)).to_dict()))
    result = stain(np.random.default_rng(0).random((30, 41)), model)
    assert result.shape == (30, 41)
    assert np.isfinite(result).all()


def test_scores_of_a_run_are_those_of_its_saved_model_on_the_held_out_pairs(pairs: list[Pair], tmp_path: Path) -> None:
    *_, done = train(pairs, tmp_path / "run", replace(TINY, holdout=("c",)))
    model = load_model(tmp_path / "run" / "model.safetensors")
    with torch.no_grad():  # 40 is a multiple of the stride, but the plan pads the plane by one stride of reflection
        image = np.pad(pairs[4].brightfield, 4, mode="reflect")
        result = model.generator(torch.from_numpy(image)[None, None])[0, 0, 4:-4, 4:-4].numpy()
    # the saved weights are half precision, 11 bits; the stain is off by about a thousandth
    assert score(result, pairs[4].target).pearson == pytest.approx(done.scores["pearson"], abs=0.01)


@pytest.mark.parametrize("stop", [0, 1, 2, 4, 5, 6, 11, 17, 18])
def test_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(pairs: list[Pair], tmp_path: Path, stop: int) -> None:
    settings = replace(TINY, holdout=("c",))
    list(train(pairs, tmp_path / "whole", settings))
    events = train(pairs, tmp_path / "parts", settings)
    # the first event is RunStarted; 4 steps, a scored pair and EpochDone are an epoch
    steps = sum(isinstance(next(events), StepDone) for _ in range(stop + 1))
    events.close()
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    resumed = list(train(pairs, tmp_path / "parts", TrainSettings(epochs=1), resume=True))
    assert sum(isinstance(event, StepDone) for event in resumed) == 12 - steps
    whole, parts = final_weights(tmp_path / "whole"), final_weights(tmp_path / "parts")
    assert equal(whole, parts)
    assert any(name.startswith("discriminator-optimizer/") for name in whole)
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == (
        tmp_path / "parts" / "model.safetensors"
    ).read_bytes()


def test_seed_determines_the_run(pairs: list[Pair], tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        torch.manual_seed(len(name))  # the state that must not matter
        list(train(pairs, tmp_path / name, replace(TINY, epochs=1, holdout=(), seed=seed)))
    assert equal(final_weights(tmp_path / "first"), final_weights(tmp_path / "same"))
    assert not equal(final_weights(tmp_path / "first"), final_weights(tmp_path / "other"))


def test_validation_pairs_do_not_train(pairs: list[Pair], tmp_path: Path) -> None:
    settings = replace(TINY, epochs=1, holdout=("c",))
    list(train(pairs, tmp_path / "first", settings))
    list(train([*pairs[:4], easy_pair(99, "c")], tmp_path / "other", settings))
    assert equal(final_weights(tmp_path / "first"), final_weights(tmp_path / "other"))


def test_resuming_a_finished_run_changes_nothing(pairs: list[Pair], tmp_path: Path) -> None:
    list(train(pairs, tmp_path / "run", TINY))
    before = final_weights(tmp_path / "run")
    events = list(train(pairs, tmp_path / "run", TINY, resume=True))
    assert [type(event).__name__ for event in events if not isinstance(event, PASSING)] == ["RunStarted", "RunDone"]
    assert equal(before, final_weights(tmp_path / "run"))


def test_checkpoints_are_written_while_the_run_goes_on(
    pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_CHECKPOINT_SECONDS", 0.0)
    events = train(pairs, tmp_path / "run", TINY)
    while not isinstance(event := next(events), StepDone):
        pass
    first = final_weights(tmp_path / "run")
    assert event.step == 1
    next(events)
    assert not equal(first, final_weights(tmp_path / "run"))
    events.close()


def test_losses_that_are_not_finite_stop_the_run_and_keep_the_former_checkpoint(
    pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = train(pairs, tmp_path / "run", TINY)
    for _ in range(3):
        next(events)
    events.close()
    before = final_weights(tmp_path / "run")
    step = session.train_step

    def diverged(*arguments: Any) -> dict[str, torch.Tensor]:
        return step(*arguments) | {"l1": torch.tensor(torch.nan)}

    monkeypatch.setattr(session, "train_step", diverged)
    with pytest.raises(TrainingError, match="lower the learning rate"):
        list(train(pairs, tmp_path / "run", TINY, resume=True))
    assert equal(before, final_weights(tmp_path / "run"))
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_learning_rate_that_is_too_high_is_noticed(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Expected finite losses"):
        list(train(pairs, tmp_path / "run", replace(TINY, learning_rate=1e30, epochs=30)))


def test_lack_of_memory_is_a_device_error(pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(session, "train_step", exhausted)
    with pytest.raises(DeviceError, match="smaller batch or patch"):
        list(train(pairs, tmp_path / "run", TINY))


def test_lack_of_memory_at_the_scores_is_a_device_error_and_the_epoch_is_kept(
    pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(TINY, holdout=("c",))
    list(train(pairs, tmp_path / "whole", settings))

    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(session, "stitched", exhausted)
        with pytest.raises(DeviceError, match=r"memory for validation on cpu, .* resume the run"):
            list(train(pairs, tmp_path / "run", settings))
    resumed = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert sum(isinstance(event, StepDone) for event in resumed) == 8  # the first of three epochs of 4 was not lost
    assert equal(final_weights(tmp_path / "run"), final_weights(tmp_path / "whole"))


def test_scores_can_be_stopped_between_pairs_and_are_taken_once_an_epoch(pairs: list[Pair], tmp_path: Path) -> None:
    settings = replace(TINY, epochs=2, holdout=("b",))
    events = list(train(pairs, tmp_path / "run", settings))
    scored = [(event.done, event.total) for event in of_kind(events, Measured)]
    assert scored == [(1, 2), (2, 2)] * 2  # two pairs in each of two epochs, and no third time at the end
    (tmp_path / "run" / "model.safetensors").unlink()
    resumed = list(train(pairs, tmp_path / "run", settings, resume=True))
    assert len(of_kind(resumed, Measured)) == 2
    assert of_kind(resumed, RunDone)[0].scores == pytest.approx(of_kind(events, RunDone)[0].scores)


def test_full_disk_at_the_stop_is_told(pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = train(pairs, tmp_path / "run", TINY)
    for _ in range(3):
        next(events)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match="No space left"):
        events.close()
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_full_disk_in_the_log_is_told(pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = RunFolder.create

    def create_without_room(self: RunFolder, *arguments: Any) -> None:
        create(self, *arguments)
        (self.path / "events.jsonl").mkdir()  # refuses to be appended to, as a full disk does

    monkeypatch.setattr(RunFolder, "create", create_without_room)
    with pytest.raises(FileError, match=r"events\.jsonl"):
        list(train(pairs, tmp_path / "run", TINY))


def test_folder_that_holds_a_run_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    list(train(pairs, tmp_path / "run", TINY))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(FileError, match="--resume"):
        list(train(pairs, tmp_path / "run", TINY))
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}


def test_folder_that_holds_other_files_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileError, match=r"new or empty folder .* which holds thesis\.txt; "):
        list(train(pairs, tmp_path, TINY))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_empty_folder_becomes_the_run(pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_text("")
    next(train(pairs, tmp_path, TINY))
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_pairs_with_little_to_learn_from_are_named(pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif")
    holed = tifffile.imread(folder / "mitochondria" / "a_t2.tif").astype(np.float32) / 255
    holed[3, 4] = np.nan
    tifffile.imwrite(folder / "mitochondria" / "a_t2.tif", holed)
    tifffile.imwrite(folder / "brightfield" / "b_t1.tif", np.full((32, 32), 7, np.uint8))
    said = [event.message for event in of_kind(list(train(folder, tmp_path / "run", TINY)), Notice)]
    assert [message.split(": ")[1] for message in said] == ["a_t2.tif.", "b_t1.tif."]
    assert "not finite" in said[0]
    assert "constant brightfield" in said[1]


def test_card_of_a_run_says_what_it_was_trained_on(pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "c_t1.tif")
    *_, done = train(folder, tmp_path / "run", replace(TINY, holdout=("c",)))
    (data,) = load_card(done.model).data
    assert data == {"name": "pairs, 3 pair(s) of 2 acquisition(s)", "source": str(folder), "licence": "not stated"}


def test_folder_that_cannot_be_made_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="can be written"):
        list(train(pairs, tmp_path / "file" / "run", TINY))


def test_nothing_to_resume(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no config\.json"):
        list(train(pairs, tmp_path / "run", TINY, resume=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": {"speed": 1}}', '{"settings": null}'])
def test_damaged_settings_of_a_run(pairs: list[Pair], tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises((TrainingError, SettingsError)):
        list(train(pairs, tmp_path, TINY, resume=True))


def test_fault_of_a_run_s_settings_is_a_part_of_one_sentence(pairs: list[Pair], tmp_path: Path) -> None:
    config = {"pairs": "p", "settings": TINY.to_dict() | {"seed": -1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match=r"^Expected the settings .*\(expected seed to be .*, got -1\); [^;]*\.$"):
        list(train(pairs, tmp_path, TINY, resume=True))


def test_damaged_checkpoint_of_a_run(pairs: list[Pair], tmp_path: Path) -> None:
    train_events = train(pairs, tmp_path / "run", TINY)
    next(train_events)
    train_events.close()
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    with pytest.raises(ModelError, match="damaged"):
        list(train(pairs, tmp_path / "run", TINY, resume=True))


def test_run_without_its_checkpoint_does_not_start_again_from_random_weights(pairs: list[Pair], tmp_path: Path) -> None:
    list(train(pairs, tmp_path / "run", TINY))
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"Expected the checkpoint .* got none"):
        list(train(pairs, tmp_path / "run", TINY, resume=True))


def test_settings_of_a_run_that_cannot_be_read(pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(TrainingError, match=r"config\.json"):
        list(train(pairs, tmp_path, TINY, resume=True))


def test_resumed_run_says_which_settings_it_keeps(pairs: list[Pair], tmp_path: Path) -> None:
    list(train(pairs, tmp_path / "run", TINY))
    events = list(train(pairs, tmp_path / "run", replace(TINY, epochs=10, batch_size=4), resume=True))
    (notice,) = of_kind(events, Notice)
    assert notice.message == "The run keeps its own settings: epochs 3 and not 10, batch_size 2 and not 4."


def test_resumed_run_says_that_its_pairs_are_others(pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif")
    list(train(folder, tmp_path / "run", TINY))
    other = folder.rename(tmp_path / "other")
    (notice,) = of_kind(list(train(other, tmp_path / "run", TINY, resume=True)), Notice)
    assert f"{folder}; it goes on with {other}" in notice.message


def test_resumed_run_knows_its_pairs_by_any_way_to_their_folder(
    pairs_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif")
    list(train(folder, tmp_path / "run", TINY))
    monkeypatch.chdir(folder)
    assert of_kind(list(train(Path(), tmp_path / "run", TINY, resume=True)), Notice) == []


def test_images_smaller_than_a_patch_are_refused_before_anything_is_written(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="at least 64×64"):
        list(train(pairs, tmp_path / "run", replace(TINY, patch=64)))
    assert not (tmp_path / "run").exists()


def test_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least one pair"):
        list(train([], tmp_path / "run", TINY))


def test_split_by_patch_says_that_it_leaks(pairs: list[Pair], tmp_path: Path) -> None:
    events = list(train(pairs, tmp_path / "run", replace(TINY, split="patch", epochs=1)))
    (notice,) = of_kind(events, Notice)
    assert "too good" in notice.message


def test_run_without_validation_says_so(pairs: list[Pair], tmp_path: Path) -> None:
    events = list(train(pairs, tmp_path / "run", replace(TINY, holdout=(), epochs=1)))
    (notice,) = of_kind(events, Notice)
    assert "no validation scores" in notice.message
    assert of_kind(events, RunDone)[0].scores == {}


def test_budget_of_minutes_ends_the_run(pairs: list[Pair], tmp_path: Path) -> None:
    settings = replace(TINY, epochs=None, minutes=0.005)  # 0.3 s of steps of some milliseconds
    events = list(train(pairs, tmp_path / "run", settings))
    fractions = [event.fraction for event in of_kind(events, StepDone)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert all(fraction < 1 for fraction in fractions[:-1])


def test_training_starts_from_the_model_given(pairs: list[Pair], tmp_path: Path, tiny_model: Model) -> None:
    settings = replace(TINY, holdout=())  # of another width than the model
    events = train(pairs, tmp_path / "run", settings, tiny_model)
    next(events)
    events.close()
    start = {
        name.removeprefix("generator/"): value
        for name, value in final_weights(tmp_path / "run").items()
        if name.startswith("generator/")
    }
    assert equal(start, tiny_model.generator.state_dict())
    list(train(pairs, tmp_path / "run", settings, resume=True))
    model = load_model(tmp_path / "run" / "model.safetensors")
    assert (model.card.base_channels, model.card.depth) == (4, 2)
    assert not torch.equal(model.generator.head.weight, tiny_model.generator.head.weight)


def test_training_leaves_the_model_it_starts_from_as_it_was(
    pairs: list[Pair], tmp_path: Path, tiny_model: Model
) -> None:
    before = {name: value.clone() for name, value in tiny_model.generator.state_dict().items()}
    list(train(pairs, tmp_path / "run", replace(TINY, epochs=1), tiny_model))
    assert equal(before, dict(tiny_model.generator.state_dict()))


@pytest.mark.parametrize("generator_loss", ["tn", "l1"])
def test_an_easy_pair_is_fitted(tmp_path: Path, generator_loss: Any) -> None:
    pair = easy_pair(0, "a", 64)
    settings = replace(TINY, epochs=15, crops_per_frame=8, base_channels=4, generator_loss=generator_loss, holdout=())
    settings = replace(settings, learning_rate=1e-2)
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


def test_generator_losses_lead_to_different_models(pairs: list[Pair], tmp_path: Path) -> None:
    for loss in ("tn", "l1"):
        list(train(pairs, tmp_path / loss, replace(TINY, epochs=1, generator_loss=loss)))
    assert not equal(final_weights(tmp_path / "tn"), final_weights(tmp_path / "l1"))


def test_card_says_that_the_loss_weighs_patch_by_patch(pairs: list[Pair], tmp_path: Path) -> None:
    list(train(pairs, tmp_path / "run", replace(TINY, epochs=1)))
    assert load_model(tmp_path / "run" / "model.safetensors").card.weighting.scope == "patch"


def test_chosen_weights_are_those_of_config_card_and_a_resumed_run(pairs: list[Pair], tmp_path: Path) -> None:
    chosen = WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), sigmas=(0.5, 2.0), scope="stack")
    settings = replace(TINY, epochs=2, holdout=("c",), weighting=chosen)
    list(train(pairs, tmp_path / "whole", settings))
    events = train(pairs, tmp_path / "parts", settings)
    for _ in range(3):
        next(events)
    events.close()
    list(train(pairs, tmp_path / "parts", TrainSettings(epochs=1), resume=True))
    assert equal(final_weights(tmp_path / "whole"), final_weights(tmp_path / "parts"))
    for run in (tmp_path / "whole", tmp_path / "parts"):
        config = json.loads((run / "config.json").read_text())["settings"]
        assert WeightSettings.from_dict(config["weighting"]) == chosen
        assert load_model(run / "model.safetensors").card.weighting == chosen


def test_coefficients_and_scope_lead_to_different_models(pairs: list[Pair], tmp_path: Path) -> None:
    choices = [WeightSettings(scope=scope) for scope in ("patch", "plane", "stack")]
    choices += [WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), scope="plane"), WeightSettings(sigmas=(0.5, 2.0))]
    runs = []
    for number, chosen in enumerate(choices):
        list(train(pairs, tmp_path / str(number), replace(TINY, epochs=1, holdout=("c",), weighting=chosen)))
        runs.append(final_weights(tmp_path / str(number)))
    for number, first in enumerate(runs):
        assert not any(equal(first, other) for other in runs[:number])
