"""Models on disk: what was saved is what is loaded, and what is broken is refused without being run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import bundle_generator
from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import FileError, ModelError
from napari_mitostain.model import library, loading
from napari_mitostain.model.card import Card
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.library import DEFAULT_MODEL, install_model, load_card, model_files
from napari_mitostain.model.loading import Model, load_model, save_model

SENTENCE = r"^Expected .*, got .*; .*\.$"


@pytest.fixture
def saved(tiny_model: Model, tmp_path: Path) -> Path:
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def refusal(name: str | Path) -> str:
    with pytest.raises(ModelError, match=SENTENCE) as caught:
        load_model(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_saved_model_is_loaded_with_its_card_and_weights_in_half_precision(tiny_model: Model, saved: Path) -> None:
    loaded = load_model(saved)
    assert loaded.card == tiny_model.card == load_card(saved)
    assert not loaded.generator.training
    before = tiny_model.generator.state_dict()
    for name, value in loaded.generator.state_dict().items():
        if value.is_floating_point():
            assert value.dtype == torch.float32
            # half precision keeps 11 bits; below 2^-14 its step is 2^-24. Both are rounded to the nearest.
            assert ((value - before[name]).abs() <= 2**-11 * before[name].abs() + 2**-25).all(), name
        else:
            assert torch.equal(value, before[name])


def test_loaded_model_stains_as_the_saved_one_up_to_half_precision(tiny_model: Model, saved: Path) -> None:
    image = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = load_model(saved).generator(image) - tiny_model.generator(image)
    # 2^-12 of logits of about 5, for each of 10 layers of weights and norms, through a sigmoid of slope 1/4
    assert 0 < difference.abs().max() < 20 * 5 * 2**-12 / 4


def test_saving_a_loaded_model_again_changes_no_byte(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    again = save_model(load_model(saved), tmp_path / "again" / "tiny.safetensors")
    assert again.sha256 == load_model(saved).sha256
    for name in ("tiny.safetensors", "tiny.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_hash_is_that_of_the_weights_file(tiny_model: Model, tmp_path: Path) -> None:
    written = save_model(tiny_model, tmp_path / "tiny.safetensors")
    expected = hashlib.sha256((tmp_path / "tiny.safetensors").read_bytes()).hexdigest()
    assert written.sha256 == load_model(tmp_path / "tiny.safetensors").sha256 == expected


def test_values_that_half_precision_cannot_hold_are_saved_all_the_same(tiny_model: Model, tmp_path: Path) -> None:
    tiny_model.generator.encoders[0][1].running_var.fill_(1e6)  # half precision ends at 65504
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    assert load_model(tmp_path / "tiny.safetensors").generator.encoders[0][1].running_var.eq(1e6).all()


def test_folder_that_cannot_be_written_is_a_file_error(tiny_model: Model, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^Expected to write .*\.$"):
        save_model(tiny_model, tmp_path / "gone" / "tiny.safetensors")


# ---------------------------------------------------------------- what is installed


@pytest.fixture
def of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(library, "user_models", lambda: folder)
    return folder


def test_default_model_is_bundled_and_stains() -> None:
    model = load_model()
    assert model_files()[DEFAULT_MODEL].parent == library.BUNDLED
    assert model.card.name == DEFAULT_MODEL
    with torch.inference_mode():
        stain = model.generator(torch.randn(1, 1, 64, 64))
    assert torch.isfinite(stain).all()
    assert stain.std() > 0


def test_card_of_the_bundled_model_tells_the_stages_of_the_script_that_made_it() -> None:
    told = load_card(DEFAULT_MODEL).training
    stages = {name: TrainSettings.from_dict(settings) for name, settings in told.items()}  # what is not told is as ever
    assert stages == bundle_generator.STAGES


def test_user_s_model_is_found_by_its_name(of_the_user: Path, tiny_model: Model) -> None:
    save_model(tiny_model, of_the_user / "mine.safetensors")
    assert load_model("mine").card == tiny_model.card
    assert set(model_files()) >= {"mine", DEFAULT_MODEL}


def test_user_s_model_wins_over_a_bundled_one_of_its_name(of_the_user: Path, tiny_model: Model) -> None:
    written = save_model(tiny_model, of_the_user / f"{DEFAULT_MODEL}.safetensors")
    assert load_model(DEFAULT_MODEL).sha256 == load_model().sha256 == written.sha256
    assert load_card(DEFAULT_MODEL) == tiny_model.card


def test_folder_of_the_user_need_not_exist(of_the_user: Path) -> None:
    of_the_user.rmdir()
    assert DEFAULT_MODEL in model_files()


def test_unknown_model_is_refused_with_the_names_there_are(of_the_user: Path) -> None:
    assert DEFAULT_MODEL in refusal("no-such-model")


def test_folder_of_a_run_is_its_model(tiny_model: Model, of_the_user: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert "run that is complete" in refusal(tmp_path / "run")
    save_model(tiny_model, tmp_path / "run" / "model.safetensors")
    assert load_card(tmp_path / "run").name == "tiny"
    assert load_model(str(tmp_path / "run")).sha256 == load_model(tmp_path / "run" / "model.safetensors").sha256


def test_installed_model_wins_over_a_run_of_its_name(
    tiny_model: Model, of_the_user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DEFAULT_MODEL).mkdir()
    save_model(tiny_model, tmp_path / DEFAULT_MODEL / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert load_card(DEFAULT_MODEL).name == DEFAULT_MODEL
    assert load_card(f"./{DEFAULT_MODEL}").name == "tiny"


def test_model_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "gone.safetensors")


# ---------------------------------------------------------------- what is broken


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.999])
def test_truncated_weights_are_refused(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    assert "damaged" in refusal(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" * 99,
        b"\xff" * 4096,  # a header of 2^64 - 1 bytes
        (8).to_bytes(8, "little") + b"not JSON",
    ],
)
def test_weights_of_other_bytes_are_refused(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    assert "damaged" in refusal(saved)


@pytest.mark.parametrize("size", [{"depth": 3}, {"base_channels": 5}, {"base_channels": 10**6}, {"depth": 12}])
def test_weights_of_another_architecture_than_the_card_s_are_refused(saved: Path, size: dict[str, int]) -> None:
    card = saved.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | size))
    said = refusal(saved)
    assert "weights that fit the card of tiny" in said
    assert all(str(value) in said for value in size.values())


def test_weights_with_a_tensor_too_few_are_refused(saved: Path) -> None:
    weights = load_file(saved)
    weights.pop("head.bias")
    save_file(weights, saved)
    assert "fit the card" in refusal(saved)


def test_file_without_any_weights_is_refused(saved: Path) -> None:
    saved.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert "fit the card" in refusal(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(saved: Path, value: float) -> None:
    weights = load_file(saved)
    weights["head.bias"][0] = value
    save_file(weights, saved)
    assert "finite" in refusal(saved)


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("ending", [".pt", ".PTH", ".ckpt", ".pkl", ".bin", ".safetensors"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_is_refused_and_never_unpickled_whatever_its_name(
    saved: Path, tmp_path: Path, ending: str, writer: str
) -> None:
    path, sprung = saved.with_suffix(ending), tmp_path / "sprung"
    with path.open("wb") as file:
        pickle.dump(Trap(sprung), file) if writer == "pickle" else torch.save(Trap(sprung), file)
    said = refusal(path)
    assert ("damaged" if ending == ".safetensors" else "never unpickled") in said
    assert not sprung.exists()


def test_model_without_a_card_is_refused(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    assert "tiny.json" in refusal(saved)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": "mitostain-model/1"}'])
def test_model_with_a_broken_card_is_refused(saved: Path, content: bytes) -> None:
    saved.with_suffix(".json").write_bytes(content)
    assert "tiny.json" in refusal(saved)


@pytest.mark.parametrize("ending", [".safetensors", ".json"])
def test_file_that_the_system_will_not_read_is_refused_in_a_sentence(
    saved: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    allowed = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.suffix == ending:
            raise PermissionError(13, "Permission denied", str(path))
        return allowed(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises((ModelError, FileError), match=SENTENCE):
        load_model(saved)


# ---------------------------------------------------------------- made ready


def test_network_is_made_ready_once_for_each_type(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Generator] = []
    original = loading.folded

    def counted(generator: Generator) -> Generator:
        made.append(generator)
        return original(generator)

    monkeypatch.setattr(loading, "folded", counted)
    cpu = torch.device("cpu")
    first = tiny_model.prepared(cpu, torch.float32)
    assert tiny_model.prepared(torch.device("cpu"), torch.float32) is first
    assert tiny_model.prepared(cpu, torch.bfloat16) is not first
    assert tiny_model.prepared(cpu, torch.bfloat16) is tiny_model.prepared(cpu, torch.bfloat16)
    assert len(made) == 2
    assert not first.training
    assert {value.dtype for value in first.parameters()} == {torch.float32}
    assert tiny_model.generator.head.weight.dtype == torch.float32


def test_two_models_share_no_network(tiny_model: Model) -> None:
    other = Model(tiny_model.card, tiny_model.generator)
    cpu = torch.device("cpu")
    assert other.prepared(cpu, torch.float32) is not tiny_model.prepared(cpu, torch.float32)


def test_geometry_is_the_generator_s(random_generator: Callable[..., Generator]) -> None:
    generator = random_generator(2, 3)
    geometry = Model(Card("deep", base_channels=2, depth=3), generator).geometry
    assert (geometry.stride, geometry.halo) == (generator.stride, generator.receptive_radius)


def test_disk_without_room_for_the_weights_keeps_the_former_pair(
    saved: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}

    def write(path: Path, content: bytes) -> None:
        if path.suffix == ".safetensors":
            raise FileError("Expected to write, got No space left on device; make room.")
        path.write_bytes(content)

    monkeypatch.setattr(loading, "atomic_write", write)
    with pytest.raises(FileError, match="No space left"):
        save_model(Model(Card("other", "Another.", 4, 2), tiny_model.generator), saved)
    assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before


# ---------------------------------------------------------------- installing


def test_installed_model_is_a_copy_under_its_own_name(saved: Path, of_the_user: Path) -> None:
    assert install_model(saved, "mine") == "mine"
    assert load_model("mine").sha256 == load_model(saved).sha256
    assert load_card("mine") == replace(load_card(saved), name="mine")
    assert {path.name for path in of_the_user.iterdir()} == {"mine.safetensors", "mine.json"}


def test_no_model_is_ever_overwritten(saved: Path, of_the_user: Path) -> None:
    before = {}
    for expected in ("mine", "mine 2", "mine 3"):
        assert install_model(saved, "mine") == expected
        before[expected] = load_card(expected).name
    assert before == {"mine": "mine", "mine 2": "mine 2", "mine 3": "mine 3"}
    assert install_model(saved, "MINE") == "MINE 4"  # one and the same file where case does not count
    assert install_model(saved, DEFAULT_MODEL) == f"{DEFAULT_MODEL} 2"  # a bundled one stays what it is


def test_name_that_another_is_taking_at_this_moment_is_left_to_it(saved: Path, of_the_user: Path) -> None:
    (of_the_user / "mine.json").touch()
    assert install_model(saved, "mine") == "mine 2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../mine", "mine"),
        ("run.pt", "run_pt"),
        ("a/b\\c", "a_b_c"),
        ("Zellen, Größe 2", "Zellen_ Größe 2"),
        (" ", "model"),
        ("h9c2 (new)", "h9c2 (new)"),
        (".hidden", "hidden"),
    ],
)
def test_name_becomes_one_that_can_be_a_file_s_and_be_found(
    saved: Path, of_the_user: Path, name: str, expected: str
) -> None:
    assert install_model(saved, name) == expected
    assert load_card(expected).name == expected
    assert [path.parent for path in of_the_user.rglob("*.safetensors")] == [of_the_user]


def test_folder_of_the_user_is_made(saved: Path, of_the_user: Path) -> None:
    of_the_user.rmdir()
    assert install_model(saved, "mine") == "mine"


@pytest.mark.parametrize("gone", [".json", ".safetensors"])
def test_half_a_model_is_not_installed(saved: Path, of_the_user: Path, gone: str) -> None:
    saved.with_suffix(gone).unlink()
    with pytest.raises(ModelError, match=SENTENCE):
        install_model(saved, "mine")
    assert [*of_the_user.iterdir()] == []


def test_disk_without_room_leaves_nothing_of_an_installed_model(
    saved: Path, of_the_user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        written = [path.suffix for path in of_the_user.iterdir()]
        if ".safetensors" in written:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(FileError, match="No space left"):
        install_model(saved, "mine")
    assert [*of_the_user.iterdir()] == []
    assert "mine" not in model_files()


def test_folder_of_the_user_that_cannot_be_made_is_a_file_error(saved: Path, of_the_user: Path) -> None:
    of_the_user.rmdir()
    of_the_user.write_text("a file")
    with pytest.raises(FileError, match=r"^Expected to write .*\.$"):
        install_model(saved, "mine")
