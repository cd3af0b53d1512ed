"""bioimage.io packages: other programs run them and stain as we do, and we take them back."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from napari_mitostain.config import ScalingSettings, StainSettings
from napari_mitostain.errors import FileError, ModelError
from napari_mitostain.model import bioimageio
from napari_mitostain.model import whole_network as whole_network_module
from napari_mitostain.model.bioimageio import export_package, unpacked
from napari_mitostain.model.bioimageio_description import description
from napari_mitostain.model.library import DEFAULT_MODEL, find_weights
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.model.whole_network import whole_network
from napari_mitostain.staining import stain

FLOAT32 = StainSettings("cpu", "float32")
TOLERANCE = 1e-4
"""Sums of some thousand numbers in another order, each with an error of 6·10⁻⁸, through the slopes of a network."""


def run(network: torch.jit.ScriptModule, planes: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(planes)))


def inside(package: Path, name: str) -> bytes:
    with zipfile.ZipFile(package) as content:
        return content.read(name)


@pytest.fixture
def network(tiny_model: Model) -> torch.jit.ScriptModule:
    return whole_network(tiny_model)


@pytest.fixture
def package(tiny_model: Model, tmp_path: Path) -> Path:
    save_model(tiny_model, tmp_path / "tiny.safetensors")
    export_package(tmp_path / "tiny.safetensors", tmp_path / "tiny.zip")
    return tmp_path / "tiny.zip"


@pytest.mark.parametrize("rows", [53, 52, 4, 33])
def test_network_takes_brightfield_as_it_is_and_stains_as_we_do(
    tiny_model: Model, network: torch.jit.ScriptModule, cells: np.ndarray, rows: int
) -> None:
    plane = cells[:rows]
    np.testing.assert_allclose(
        run(network, plane[None, None].astype(np.float32))[0, 0], stain(plane, tiny_model, FLOAT32), atol=TOLERANCE
    )


def test_outliers_and_a_large_offset_are_dealt_with(
    tiny_model: Model, network: torch.jit.ScriptModule, cells: np.ndarray
) -> None:
    plane = cells.astype(np.uint16) * 20 + 30000
    plane[20, 30] = 65535
    np.testing.assert_allclose(
        run(network, plane[None, None].astype(np.float32))[0, 0], stain(plane, tiny_model, FLOAT32), atol=TOLERANCE
    )


@pytest.mark.parametrize(("offset", "contrast"), [(1e4, 1.0), (1e6, 100.0), (3e4, 150.0)])
def test_offset_costs_no_digits(
    tiny_model: Model, network: torch.jit.ScriptModule, cells: np.ndarray, offset: float, contrast: float
) -> None:
    plane = (offset + contrast * (cells - cells.mean()) / cells.std()).astype(np.float32)
    np.testing.assert_allclose(run(network, plane[None, None])[0, 0], stain(plane, tiny_model, FLOAT32), atol=TOLERANCE)


def test_settings_of_the_card_are_in_the_network(tiny_model: Model, cells: np.ndarray) -> None:
    card = replace(tiny_model.card, scaling=ScalingSettings(background_px=5, percentiles=(5, 90)))
    other = Model(card, tiny_model.generator)
    found = run(whole_network(other), cells[None, None].astype(np.float32))[0, 0]
    np.testing.assert_allclose(found, stain(cells, other, FLOAT32), atol=TOLERANCE)
    assert np.abs(found - stain(cells, tiny_model, FLOAT32)).max() > 10 * TOLERANCE


def test_planes_of_a_batch_are_scaled_each_by_itself_and_constant_ones_stay_empty(
    tiny_model: Model, network: torch.jit.ScriptModule, cells: np.ndarray
) -> None:
    planes = np.stack([cells, np.full_like(cells, 7), cells // 2])
    found = run(network, planes[:, None].astype(np.float32))
    assert found.shape == (3, 1, *cells.shape)
    assert found.dtype == np.float32
    assert not found[1].any()
    for at in (0, 2):
        np.testing.assert_allclose(found[at, 0], stain(planes[at], tiny_model, FLOAT32), atol=TOLERANCE)


def test_plane_with_structure_in_few_pixels_is_no_constant_one(
    tiny_model: Model, network: torch.jit.ScriptModule
) -> None:
    plane = np.zeros((40, 40), np.uint8)
    plane[20, 20] = 200
    np.testing.assert_allclose(
        run(network, plane[None, None].astype(np.float32))[0, 0], stain(plane, tiny_model, FLOAT32), atol=TOLERANCE
    )


@pytest.mark.parametrize("name", ["tiny", DEFAULT_MODEL])
@pytest.mark.filterwarnings("ignore")  # those of another's library
def test_program_of_the_format_s_authors_runs_it_and_finds_no_fault(package: Path, name: str, tmp_path: Path) -> None:
    from bioimageio.core import test_description

    if name != "tiny":
        export_package(name, package, overwrite=True)
    summary = test_description(package, weight_format="torchscript", devices=["cpu"])
    assert summary.status == "passed", summary.format()


@pytest.mark.filterwarnings("ignore")
def test_program_of_the_format_s_authors_stains_a_plane_as_we_do(package: Path, cells: np.ndarray) -> None:
    from bioimageio.core import predict

    done = predict(model=package, inputs={"brightfield": cells[None, None].astype(np.float32)})
    found: Any = done.members["stain"].data
    expected = stain(cells, load_model(package.with_suffix(".safetensors")), FLOAT32)
    np.testing.assert_allclose(np.asarray(found)[0, 0], expected, atol=TOLERANCE)


def test_package_says_what_it_is(package: Path, tiny_model: Model) -> None:
    with zipfile.ZipFile(package) as content:
        files = {name: content.read(name) for name in content.namelist()}
    told = yaml.safe_load(files["rdf.yaml"])
    assert "tiny" in told["name"]
    assert tiny_model.card.limits in told["description"]
    assert "license" not in told  # the card states none
    assert [axis["scale"] for axis in told["inputs"][0]["axes"][2:]] == [0.1, 0.1]
    described = [*told["attachments"], *told["weights"].values(), *(t["test_tensor"] for t in told["inputs"])]
    assert {each["source"]: each["sha256"] for each in described} == {
        each["source"]: hashlib.sha256(files[each["source"]]).hexdigest() for each in described
    }
    assert tiny_model.card.limits in files["README.md"].decode()
    assert b"&id" not in files["rdf.yaml"]  # names within YAML, which some readers do not know


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", "MIT"),
        ("GPL-3.0, from the training data of h9c2-omp25", "GPL-3.0"),
        ("MIT-0", None),
        ("MIT for the code, weights CC-BY-NC-4.0", None),
        ("GPL-3.0, BSD-3-Clause, from the training data of mine", None),
        ("", None),
    ],
)
def test_no_licence_is_named_that_the_card_does_not(tiny_model: Model, licence: str, expected: str | None) -> None:
    model = Model(replace(tiny_model.card, licence=licence), tiny_model.generator)
    files = dict.fromkeys(("model.safetensors", "model.json", "network.pt", "brightfield.npy", "stain.npy"), b"")
    assert description(model, files).get("license") == expected


def test_package_does_not_tell_where_it_was_made(package: Path) -> None:
    here = str(Path(whole_network_module.__file__).parent).encode()
    with zipfile.ZipFile(io.BytesIO(inside(package, "network.pt"))) as inner:
        assert not any(here in inner.read(name) for name in inner.namelist())


def test_example_is_no_smaller_than_a_deep_model_needs(
    package: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bioimageio, "_SIDE", tiny_model.geometry.stride - 1)
    export_package(package.with_suffix(".safetensors"), package, overwrite=True)
    assert np.load(io.BytesIO(inside(package, "stain.npy"))).shape == (1, 1, *2 * [tiny_model.geometry.stride])


def test_link_to_a_package_stays_one(package: Path) -> None:
    link = package.with_name("link.zip")
    link.symlink_to(package)
    before = package.stat().st_ino
    export_package(package.with_suffix(".safetensors"), link, overwrite=True)
    assert link.is_symlink()
    assert package.stat().st_ino != before


def test_licence_is_named_where_the_format_knows_it(tmp_path: Path) -> None:
    export_package(DEFAULT_MODEL, tmp_path / "m.zip")
    assert yaml.safe_load(inside(tmp_path / "m.zip", "rdf.yaml"))["license"] == "GPL-3.0"


def test_model_without_a_pixel_size_is_exported_too(tiny_model: Model, tmp_path: Path) -> None:
    save_model(Model(replace(tiny_model.card, pixel_size_um=None), tiny_model.generator), tmp_path / "tiny.safetensors")
    export_package(tmp_path / "tiny.safetensors", tmp_path / "tiny.zip")
    assert "scale" not in yaml.safe_load(inside(tmp_path / "tiny.zip", "rdf.yaml"))["inputs"][0]["axes"][2]


def test_what_comes_back_is_the_same_model(package: Path) -> None:
    with unpacked(package) as weights:
        assert weights.read_bytes() == package.with_suffix(".safetensors").read_bytes()
        assert load_model(weights).card == load_model(package.with_suffix(".safetensors")).card
    assert not weights.exists()


def test_no_network_of_a_package_is_run_to_import_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise AssertionError("it would be unpickled")

    monkeypatch.setattr(torch.jit, "load", refused)
    monkeypatch.setattr(torch, "load", refused)
    with unpacked(package) as weights:
        assert load_model(weights).card.name == "tiny"


@pytest.mark.parametrize("kind", ["absent", "no zip", "of others", "cut off", "changed", "too large", "no name"])
def test_other_packages_are_refused(package: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = package.read_bytes()
    if kind == "absent":
        package.unlink()
    elif kind == "of others":
        with zipfile.ZipFile(package, "w") as other:
            other.writestr("rdf.yaml", "type: model")
    elif kind == "too large":
        monkeypatch.setattr(bioimageio, "_LARGEST", 1000)
    elif kind == "no name":  # bytes that are said to be UTF-8 and are not
        with zipfile.ZipFile(package, "w") as other:
            other.writestr("é", "")
        package.write_bytes(package.read_bytes().replace("é".encode(), b"\xff\xff"))
    else:
        middle = content.index(b"model.safetensors") + 1000
        changed = content[:middle] + bytes(1000) + content[middle + 1000 :]
        package.write_bytes({"no zip": b"PK", "cut off": content[: len(content) // 2], "changed": changed}[kind])
    with pytest.raises(ModelError, match=r"^Expected a package.*, got .*; .*\.$"), unpacked(package):
        pass


@pytest.mark.parametrize(("name", "reason"), [("tiny.zip", "add --overwrite"), ("tiny.pt", "ending in .zip")])
def test_place_is_looked_at_before_the_work(package: Path, name: str, reason: str) -> None:
    before = package.read_bytes()
    with pytest.raises(FileError, match=reason):
        export_package(package.with_suffix(".safetensors"), package.with_name(name))
    assert package.read_bytes() == before
    assert not package.with_name("tiny.pt").exists()


def test_disk_without_room_keeps_the_former_package(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = package.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match="No space left"):
        export_package(package.with_suffix(".safetensors"), package, overwrite=True)
    assert package.read_bytes() == before
    assert {path.name for path in package.parent.iterdir()} == {"tiny.zip", "tiny.safetensors", "tiny.json"}


def test_fault_inside_is_told_with_the_package_s_own_place(package: Path) -> None:
    with zipfile.ZipFile(package, "w") as other:
        other.writestr("model.safetensors", b"")
        other.writestr("model.json", b"{}")
    with pytest.raises(ModelError) as caught, unpacked(package) as weights:
        load_model(weights)
    assert str(package / "model.json") in str(caught.value)


def test_making_it_warns_of_nothing(tiny_model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole_network(tiny_model)


def test_bundled_model_is_exported_with_its_own_weights(tmp_path: Path) -> None:
    export_package(DEFAULT_MODEL, tmp_path / "m.zip")
    with unpacked(tmp_path / "m.zip") as weights:
        assert weights.read_bytes() == find_weights(DEFAULT_MODEL).read_bytes()
