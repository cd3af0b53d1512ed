"""`mitostain models`: what is installed, and the cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_mitostain.model import library
from napari_mitostain.model.library import DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model, save_model


def test_list_names_the_bundled_model_and_the_users_own(mitostain: Any, tiny_model: Model) -> None:
    library.user_models().mkdir(parents=True, exist_ok=True)
    save_model(tiny_model, library.user_models() / "tiny.safetensors")
    done = mitostain("models", "list")
    assert done.status == 0
    assert any(line.split()[0] == DEFAULT_MODEL for line in done.out.splitlines())
    assert any(line.split() == ["tiny", "A", "tiny", "one."] for line in done.out.splitlines())
    told = mitostain("models", "list", "--json").json
    assert {entry["name"] for entry in told["models"]} >= {DEFAULT_MODEL, "tiny"}


def test_list_says_where_the_users_models_are(mitostain: Any) -> None:
    assert mitostain("models", "list").out.splitlines()[-1].endswith(f" {library.user_models()}")
    assert mitostain("models", "list", "--json").json["folder"] == str(library.user_models())


@pytest.mark.parametrize("broken", ["{", '{"format": "mitostain-model/0"}'])
def test_broken_card_of_one_model_does_not_hide_the_others(
    mitostain: Any, tmp_path: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(library, "user_models", lambda: tmp_path)
    save_model(tiny_model, tmp_path / "broken.safetensors")
    (tmp_path / "broken.json").write_text(broken)
    done = mitostain("models", "list")
    assert done.status == 0
    assert any(line.split()[0] == DEFAULT_MODEL for line in done.out.splitlines())
    assert "broken.json" in done.err


def test_model_is_exported_and_imported_again(
    mitostain: Any, tmp_path: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "user_models", lambda: tmp_path / "own")
    (tmp_path / "run").mkdir()
    saved = save_model(tiny_model, tmp_path / "run" / "model.safetensors")
    out = tmp_path / "elsewhere" / "given.safetensors"
    assert mitostain("models", "export", tmp_path / "run", out).status == 0
    again = mitostain("models", "export", tmp_path / "run", out)
    assert again.status == 2
    assert "which exists; add --overwrite" in again.err
    assert mitostain("models", "export", tmp_path / "run", out, "--overwrite").status == 0
    assert mitostain("models", "import", out, "--name", "mine").out == "Imported as mine\n"
    assert mitostain("models", "import", out, "--name", "mine").out == "Imported as mine 2\n"
    assert load_model("mine").sha256 == saved.sha256
    assert mitostain("models", "show", "mine", "--json").json["name"] == "mine"


@pytest.mark.parametrize("name", ["out.pt", "out.tif", "out"])
def test_export_of_another_kind_is_refused(mitostain: Any, tmp_path: Path, model_file: Path, name: str) -> None:
    done = mitostain("models", "export", model_file, tmp_path / name)
    assert done.status == 2
    assert "Expected a name ending in .safetensors" in done.err
    assert not (tmp_path / name).exists()


def test_model_is_exported_as_a_package_and_imported_again(
    mitostain: Any, tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "user_models", lambda: tmp_path / "own")
    package = tmp_path / "given.zip"
    done = mitostain("models", "export", model_file, package, "--format", "bioimageio")
    assert (done.status, done.out) == (0, f"Exported to {package}, a bioimage.io package\n")
    again = mitostain("models", "export", model_file, package, "--format", "bioimageio")
    assert again.status == 2
    assert "which exists; add --overwrite" in again.err
    assert mitostain("models", "export", model_file, package, "--format", "bioimageio", "--overwrite").status == 0
    assert mitostain("models", "import", package, "--name", "mine").out == "Imported as mine\n"
    assert load_model("mine").sha256 == load_model(model_file).sha256
    assert "run mitostain models import" in mitostain("models", "show", package).err
    assert "or --format bioimageio" in mitostain("models", "export", model_file, tmp_path / "other.zip").err
    package.write_bytes(b"PK")
    refused = mitostain("models", "import", package)
    assert refused.status == 2
    assert "Expected a package that mitostain has exported" in refused.err


def test_export_onto_itself_is_refused(mitostain: Any, model_file: Path) -> None:
    before = model_file.read_bytes()
    assert mitostain("models", "export", model_file, model_file, "--overwrite").status == 2
    assert model_file.read_bytes() == before


def test_export_onto_a_folder_is_refused(mitostain: Any, tmp_path: Path, model_file: Path) -> None:
    (tmp_path / "mine.safetensors").mkdir()
    (tmp_path / "mine.safetensors" / "notes.txt").write_text("precious")
    done = mitostain("models", "export", model_file, tmp_path / "mine.safetensors", "--overwrite")
    assert done.status == 2
    assert (tmp_path / "mine.safetensors" / "notes.txt").read_text() == "precious"


def test_import_of_weights_that_do_not_fit_their_card_is_refused(
    mitostain: Any, tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "user_models", lambda: tmp_path / "own")
    card = model_file.with_suffix(".json")
    card.write_text(card.read_text().replace('"base_channels": ', '"base_channels": 1'))
    assert mitostain("models", "import", model_file).status == 2
    assert not (tmp_path / "own").exists()


def test_show_prints_what_a_user_must_know(mitostain: Any, model_file: Path) -> None:
    done = mitostain("models", "show", model_file)
    assert done.status == 0
    assert "Pixel size: 100 nm" in done.out
    assert "not quantitative fluorescence" in done.out


def test_show_json_is_the_card(mitostain: Any, model_file: Path) -> None:
    shown = mitostain("models", "show", model_file, "--json").json
    assert shown == json.loads(model_file.with_suffix(".json").read_text())


def test_show_of_the_bundled_model_names_its_pixel_size(mitostain: Any) -> None:
    card = mitostain("models", "show", DEFAULT_MODEL, "--json").json
    assert card["name"] == DEFAULT_MODEL
    assert card["pixel_size_um"] == pytest.approx(0.08)


def test_show_of_an_unknown_model_names_the_known_ones(mitostain: Any) -> None:
    assert DEFAULT_MODEL in mitostain("models", "show", "nobody").sentence


def test_models_are_listed_by_the_name_that_finds_them_and_removed_by_it(mitostain: Any, tiny_model: Model) -> None:
    library.user_models().mkdir(parents=True, exist_ok=True)
    save_model(tiny_model, library.user_models() / "mine.safetensors")  # its card says "tiny"
    assert "mine" in [entry["name"] for entry in mitostain("models", "list", "--json").json["models"]]
    assert mitostain("models", "show", "mine").status == 0
    assert str(library.user_models() / "mine.safetensors") in mitostain("models", "remove", "mine").out
    assert not list(library.user_models().glob("mine.*"))
    for name in ("mine", DEFAULT_MODEL):
        assert mitostain("models", "remove", name).sentence.startswith("mitostain: Expected one of your own models (")
    assert mitostain("models", "show", DEFAULT_MODEL).status == 0
