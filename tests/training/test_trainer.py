"""Train: what a call is given, what it makes of it, and what the model's card says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_mitostain.config import ScalingSettings, TrainSettings, WeightSettings
from napari_mitostain.errors import FileError, TrainingError
from napari_mitostain.events import PASSING, Event, Finding, Notice, RunDone, RunStarted, StartScored
from napari_mitostain.image import Stack
from napari_mitostain.model.library import load_card
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.scoring import score
from napari_mitostain.staining import stain
from napari_mitostain.training import registry
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.spec import PARTS, PairsSpec, pairs_in
from napari_mitostain.training.store import store_pairs
from napari_mitostain.training.trainer import train

CheckpointOf = Callable[[Path], dict[str, torch.Tensor]]


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_run_is_a_folder_with_everything_in_it(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "c_t1.tif")
    run = tmp_path / "deep" / "run"
    events = list(train(folder, run, replace(tiny, holdout=("b",))))
    epochs = [f"epoch-{number:04d}" for number in range(3)]
    assert sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()) == sorted(
        [
            ".lock",
            "checkpoint.previous.safetensors",
            "checkpoint.safetensors",
            "config.json",
            "epochs.csv",
            "events.jsonl",
            "model.json",
            "model.safetensors",
            "pairs.json",
            *(f"models/{name}.{suffix}" for name in epochs for suffix in ("json", "safetensors")),
            *(f"previews/{name}.tif" for name in ("brightfield", "truth", *epochs)),
        ]
    )
    config = RunFolder(run).config()
    assert (config.settings, config.source, config.init) == (replace(tiny, holdout=("b",)), str(folder), "")
    assert config.pairs == pairs_in(folder)
    logged = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [type(event).__name__ for event in events if not isinstance(event, PASSING)] == [
        entry["event"] for entry in logged
    ]
    said = [entry["event"] for entry in logged if entry["event"] not in ("Finding", "Notice")]
    assert said == ["RunStarted", "StartScored", *["EpochDone"] * 3, "RunDone"]
    assert run in registry.known_runs()


def test_scores_of_a_run_are_those_of_its_saved_model_on_the_held_out_pairs(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings
) -> None:
    *_, done = train(pairs, tmp_path / "run", replace(tiny, holdout=("c",)))
    model, frame = load_model(tmp_path / "run" / "model.safetensors"), pairs[4].read()
    with torch.no_grad():  # 40 is a multiple of the stride
        result = model.generator(torch.from_numpy(frame.brightfield)[None, None])[0, 0].numpy()
    assert isinstance(done, RunDone)
    # the saved weights are half precision, 11 bits; the stain is off by about a thousandth
    assert score(result, frame.target).pearson == pytest.approx(done.scores["pearson"], abs=0.01)


def test_empty_folder_becomes_the_run(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    (tmp_path / ".DS_Store").write_text("")
    events = train(pairs, tmp_path, tiny)
    while not isinstance(next(events), RunStarted):
        pass
    events.close()
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_findings_of_the_check_are_said_first_and_once(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif")
    holed = tifffile.imread(folder / "mitochondria" / "a_t2.tif").astype(np.float32) / 255
    holed[3, 4] = np.nan
    tifffile.imwrite(folder / "mitochondria" / "a_t2.tif", holed)
    events = list(train(folder, tmp_path / "run", tiny))
    found = of_kind(events, Finding)
    assert any("a_t2.tif" in finding.message + str(finding.pairs) for finding in found)
    started = next(number for number, event in enumerate(events) if isinstance(event, RunStarted))
    assert all(events.index(finding) < started for finding in found)
    list(train(None, tmp_path / "run", tiny, resume=True))
    logged = [entry for entry in RunFolder(tmp_path / "run").history() if entry["event"] == "Finding"]
    assert len(logged) == len(found)


def test_error_in_the_pairs_starts_no_run(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif")
    (folder / "mitochondria" / "b_t1.tif").write_bytes(b"no image")
    with pytest.raises(TrainingError, match=r"b_t1\.tif"):
        list(train(folder, tmp_path / "run", tiny))
    assert not (tmp_path / "run").exists()


def test_card_of_a_run_says_what_it_was_trained_on_and_what_it_beats(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path, tiny_model: Model
) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "c_t1.tif", "d_t1.tif")
    older = {"name": "older", "source": "elsewhere", "licence": "CC0"}
    init = Model(
        replace(tiny_model.card, data=(older,), scaling=ScalingSettings(background_px=10.0)),
        tiny_model.generator,
        "abc",
    )
    settings = replace(tiny, holdout=("c",), test_share=0.2, weight_adversarial=0.5)
    *events, done = train(folder, tmp_path / "run", settings, init)
    assert isinstance(done, RunDone)
    card = load_card(done.model)
    own = {"name": "pairs, 3 pair(s) of 2 acquisition(s)", "source": str(folder), "licence": "not stated"}
    assert card.data == (own, older)
    assert card.licence == "CC0, from the training data of tiny"
    assert card.scaling == init.card.scaling
    assert list(card.scores) == ["validation", "start", "constant", "variance", "ceiling", "test"]
    assert card.scores["validation"] == pytest.approx(done.scores)
    (started,) = of_kind(events, StartScored)
    assert started.scores == {name: card.scores[name] for name in ("start", "constant", "variance", "ceiling")}
    assert done.verdict in card.summary
    assert f"{done.scores['pearson']:.3f}" in done.verdict
    assert f"{started.scores['start']['pearson']:.3f} and" in done.verdict
    config = RunFolder(tmp_path / "run").config()
    assert (config.init, config.init_sha256, config.init_data) == ("tiny", "abc", (older,))
    previews = RunFolder(tmp_path / "run").preview_images()
    assert previews is not None
    assert previews.start is not None


def test_card_of_a_run_on_copies_of_layers_names_the_layer(tiny: TrainSettings, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (2, 4, 32, 32), np.uint8)
    layers = [Stack(pixels, "TYX", name="my cells (2)") for pixels in values]
    list(store_pairs(layers[0], layers[1], (None, None), tmp_path / "run" / "pairs"))
    (one,), (other,) = ([*(tmp_path / "run" / "pairs" / part).iterdir()] for part in PARTS)
    *_, done = train(PairsSpec(one, other), tmp_path / "run", replace(tiny, epochs=1))
    assert isinstance(done, RunDone)
    (own,) = load_card(done.model).data
    assert own["name"].startswith("layer my cells _2_, ")
    assert own["source"] == "layer my cells _2_"


def test_start_is_scored_with_the_statistics_of_the_starting_model(
    pairs: list[Pair], tiny: TrainSettings, tmp_path: Path, tiny_model: Model
) -> None:
    events = train(pairs, tmp_path / "run", replace(tiny, holdout=("c",)), tiny_model)
    scores = next(event for event in events if isinstance(event, StartScored)).scores
    events.close()
    frame = pairs[4].read()
    with torch.no_grad():
        result = tiny_model.generator(torch.from_numpy(frame.brightfield)[None, None])[0, 0].numpy()
    # folding the norms into the convolutions rounds in float32
    assert scores["start"]["pearson"] == pytest.approx(score(result, frame.target).pearson, abs=1e-3)


def test_pixel_size_of_the_pairs_is_the_models(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif")
    for path in folder.rglob("*.tif"):
        image = tifffile.imread(path)
        tifffile.imwrite(path, image, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1})
    *_, done = train(folder, tmp_path / "run", replace(tiny, epochs=1, pixel_size_um=None))
    assert isinstance(done, RunDone)
    assert load_card(done.model).pixel_size_um == pytest.approx(0.1)


def test_resumed_run_says_which_settings_it_keeps(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    list(train(pairs, tmp_path / "run", tiny))
    events = list(train(pairs, tmp_path / "run", replace(tiny, epochs=10, batch_size=4), resume=True))
    said = [event.message for event in of_kind(events, Notice)]
    assert "The run keeps its own settings: epochs 3 and not 10, batch_size 2 and not 4." in said


def test_resumed_run_knows_its_pairs_and_says_when_they_are_others(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pairs_folder("a_t1.tif", "b_t1.tif")
    list(train(folder, tmp_path / "run", tiny))
    monkeypatch.chdir(folder)
    for same in (Path(), str(folder), pairs_in(folder), None):
        events = list(train(same, tmp_path / "run", tiny, resume=True))
        assert not [event for event in of_kind(events, Notice) if "other pairs" in event.message]
    monkeypatch.chdir(tmp_path)
    other = folder.rename(tmp_path / "other")
    events = list(train(other, tmp_path / "run", tiny, resume=True))
    (said,) = [event.message for event in of_kind(events, Notice) if "other pairs" in event.message]
    assert f"{folder}; it goes on with {other}" in said


def test_split_by_patch_says_that_it_leaks(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    events = list(train(pairs, tmp_path / "run", replace(tiny, split="patch", epochs=1)))
    assert any("too good" in event.message for event in of_kind(events, Notice))


def test_run_without_validation_says_so(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    events = list(train(pairs, tmp_path / "run", replace(tiny, holdout=(), epochs=1)))
    assert any("no validation scores" in event.message for event in of_kind(events, Notice))
    assert of_kind(events, RunDone)[0].scores == {}
    assert not of_kind(events, StartScored)


def test_training_starts_from_the_model_given(
    pairs: list[Pair],
    tmp_path: Path,
    tiny: TrainSettings,
    tiny_model: Model,
    checkpoint_of: CheckpointOf,
    equal: Callable[..., bool],
) -> None:
    settings = replace(tiny, holdout=(), ema=0.5)  # of another width than the model
    events = train(pairs, tmp_path / "run", settings, tiny_model)
    while not isinstance(next(events), RunStarted):
        pass
    events.close()
    saved = checkpoint_of(tmp_path / "run")
    for network in ("generator", "average"):
        start = {name.removeprefix(f"{network}/"): saved[name] for name in saved if name.startswith(f"{network}/")}
        assert equal(start, dict(tiny_model.generator.state_dict()))
    list(train(pairs, tmp_path / "run", settings, resume=True))
    model = load_model(tmp_path / "run" / "model.safetensors")
    assert (model.card.base_channels, model.card.depth) == (4, 2)
    assert not torch.equal(model.generator.head.weight, tiny_model.generator.head.weight)


def test_training_starts_from_a_model_by_its_name(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings, tiny_model: Model
) -> None:
    save_model(tiny_model, tmp_path / "own.safetensors")
    list(train(pairs, tmp_path / "run", tiny, str(tmp_path / "own.safetensors")))
    assert RunFolder(tmp_path / "run").config().init == tiny_model.card.name


@pytest.mark.skipif(sys.platform != "linux", reason="where names of files are text")
def test_names_that_are_no_text_train_and_resume(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    latin = "\udce9"  # what Python makes of a byte that is no UTF-8
    folder, run = pairs_folder(f"a{latin}_t1.tif", "b_t1.tif"), tmp_path / f"run{latin}"
    list(train(folder, run, tiny))
    *_, done = train(None, run, tiny, resume=True)
    assert isinstance(done, RunDone)
    assert load_model(run).card.name == f"run{latin}"


def test_model_of_a_run_loads_and_stains(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    *_, done = train(pairs, tmp_path / "my run", replace(tiny, holdout=("c",)))
    assert isinstance(done, RunDone)
    model = load_model(done.model)
    assert (model.card.name, model.card.base_channels, model.card.depth) == ("my run", 2, 2)
    assert model.card.pixel_size_um == 0.08
    assert model.card.scores["validation"] == pytest.approx(done.scores)
    assert model.card.training == json.loads(json.dumps(replace(tiny, holdout=("c",)).to_dict()))
    result = stain(np.random.default_rng(0).random((30, 41)), model)
    assert result.shape == (30, 41)
    assert np.isfinite(result).all()


def test_validation_pairs_do_not_train(
    pairs: list[Pair],
    easy_pair: Callable[..., Pair],
    tmp_path: Path,
    tiny: TrainSettings,
    checkpoint_of: CheckpointOf,
    equal: Callable[..., bool],
) -> None:
    settings = replace(tiny, epochs=1, holdout=("c",))
    list(train(pairs, tmp_path / "first", settings))
    list(train([*pairs[:4], easy_pair(99, "c")], tmp_path / "other", settings))
    assert equal(checkpoint_of(tmp_path / "first"), checkpoint_of(tmp_path / "other"))


def test_folder_that_holds_a_run_is_refused(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    list(train(pairs, tmp_path / "run", tiny))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(FileError, match="--resume"):
        list(train(pairs, tmp_path / "run", tiny))
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}


def test_training_leaves_the_model_it_starts_from_as_it_was(
    pairs: list[Pair], tmp_path: Path, tiny_model: Model, tiny: TrainSettings, equal: Callable[..., bool]
) -> None:
    before = {name: value.clone() for name, value in tiny_model.generator.state_dict().items()}
    list(train(pairs, tmp_path / "run", replace(tiny, epochs=1), tiny_model))
    assert equal(before, dict(tiny_model.generator.state_dict()))


def test_generator_losses_lead_to_different_models(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings, checkpoint_of: CheckpointOf, equal: Callable[..., bool]
) -> None:
    for loss in ("tn", "l1"):
        list(train(pairs, tmp_path / loss, replace(tiny, epochs=1, generator_loss=loss)))
    assert not equal(checkpoint_of(tmp_path / "tn"), checkpoint_of(tmp_path / "l1"))


def test_card_says_that_the_loss_weighs_patch_by_patch(pairs: list[Pair], tmp_path: Path, tiny: TrainSettings) -> None:
    list(train(pairs, tmp_path / "run", replace(tiny, epochs=1)))
    assert load_model(tmp_path / "run" / "model.safetensors").card.weighting.scope == "patch"


def test_coefficients_and_scope_lead_to_different_models(
    pairs: list[Pair], tmp_path: Path, tiny: TrainSettings, checkpoint_of: CheckpointOf, equal: Callable[..., bool]
) -> None:
    choices = [WeightSettings(scope=scope) for scope in ("patch", "plane", "stack")]
    choices += [WeightSettings(a=(0.0, 0.1, 0.2), b=(0.5, 0.6, 0.7), scope="plane"), WeightSettings(sigmas=(0.5, 2.0))]
    runs = []
    for number, chosen in enumerate(choices):
        list(train(pairs, tmp_path / str(number), replace(tiny, epochs=1, holdout=("c",), weighting=chosen)))
        runs.append(checkpoint_of(tmp_path / str(number)))
    for number, first in enumerate(runs):
        assert not any(equal(first, other) for other in runs[:number])
