"""Bad input gets one sentence and exit status 2, and nothing is written or lost."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_mitostain.cli import main

GRAY = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


class Refusal:
    """Runs commands that must fail in one sentence and leave every file as it was."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, *arguments: object) -> str:
        before = snapshot(self._folder)
        status = main([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert status == 2
        assert printed.out == ""
        assert snapshot(self._folder) == before
        (sentence,) = printed.err.splitlines()
        assert sentence.startswith("mitostain: Expected ")
        assert ", got " in sentence or " exists; " in sentence
        assert "; " in sentence
        assert sentence.endswith(".")
        assert "Traceback" not in sentence
        return sentence


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refusal:
    return Refusal(tmp_path, capsys)


def missing(_path: Path) -> None:
    """Write nothing."""


def renamed_text(path: Path) -> None:
    path.write_text("Dear diary")


def truncated(path: Path) -> None:
    tifffile.imwrite(path, np.stack([GRAY] * 3), photometric="minisblack", compression="zlib")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def colour(path: Path) -> None:
    tifffile.imwrite(path, np.stack([GRAY] * 3, axis=-1), photometric="rgb")


def unknown_axes(path: Path) -> None:
    tifffile.imwrite(path, np.stack([GRAY] * 12).reshape(2, 3, 2, 40, 50), photometric="minisblack")


def constant(path: Path) -> None:
    tifffile.imwrite(path, np.full((3, 40, 50), 7, np.uint8), photometric="minisblack")


def not_finite(path: Path) -> None:
    tifffile.imwrite(path, np.full((40, 50), np.nan, np.float32))


def imaginary(path: Path) -> None:
    tifffile.imwrite(path, GRAY.astype(np.complex64))


def boolean(path: Path) -> None:
    tifffile.imwrite(path, GRAY > 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_size(path: Path) -> None:
    with pytest.warns(UserWarning, match="zero-size"):
        tifffile.imwrite(path, np.zeros((0, 40), np.uint8))


BAD_TIFFS = [missing, renamed_text, truncated, colour, unknown_axes, constant, imaginary, boolean, empty, zero_size]


@pytest.mark.parametrize("make", BAD_TIFFS, ids=lambda make: make.__name__)
def test_stain_of_a_bad_image(refused: Refusal, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "bad.tif")
    assert "bad.tif" in refused("stain", tmp_path / "bad.tif", tmp_path / "out.tif", "--model", "tiny")


@pytest.mark.parametrize("make", [make for make in BAD_TIFFS if make is not constant], ids=lambda make: make.__name__)
def test_weights_and_scores_of_a_bad_image(refused: Refusal, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "bad.tif")
    tifffile.imwrite(tmp_path / "good.tif", GRAY)
    refused("weights", tmp_path / "bad.tif", tmp_path / "out.tif")
    refused("evaluate", tmp_path / "good.tif", tmp_path / "bad.tif")
    refused("evaluate", tmp_path / "bad.tif", tmp_path / "good.tif", "--json")


def test_picture_in_colour(refused: Refusal, tmp_path: Path) -> None:
    Image.fromarray(np.stack([GRAY] * 3, axis=-1)).save(tmp_path / "bad.png")
    assert "grayscale" in refused("stain", tmp_path / "bad.png", tmp_path / "out.png")


def test_image_that_is_nowhere_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    not_finite(tmp_path / "bad.tif")
    before = snapshot(tmp_path)
    assert main(["stain", str(tmp_path / "bad.tif"), str(tmp_path / "out.tif"), "--model", "tiny"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert "not finite" in printed[0]  # a notice, before the error
    assert "contrast" in printed[1]
    assert len(printed) == 2
    assert snapshot(tmp_path) == before


def test_folder_without_images(refused: Refusal, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("")
    assert "Expected images" in refused("stain", tmp_path / "in", tmp_path / "out", "--model", "tiny")


def test_output_that_exists(refused: Refusal, image: Path, tmp_path: Path) -> None:
    (tmp_path / "out.tif").write_bytes(b"precious")
    for command in (
        ["stain", image, tmp_path / "out.tif", "--model", "tiny"],
        ["weights", image, tmp_path / "out.tif"],
    ):
        assert "--overwrite" in refused(*command)


def test_output_that_is_the_input(refused: Refusal, image: Path, tmp_path: Path) -> None:
    refused("stain", image, image, "--model", "tiny", "--overwrite")
    refused("weights", image, image, "--overwrite")
    (tmp_path / "in").mkdir()
    image.rename(tmp_path / "in" / "cells.tif")
    refused("stain", tmp_path / "in", tmp_path / "in", "--model", "tiny", "--overwrite")


def test_output_below_a_file(refused: Refusal, image: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "inside a file" in refused("stain", image, tmp_path / "file" / "out.tif", "--model", "tiny")
    assert "inside a file" in refused("weights", image, tmp_path / "file" / "deep" / "out.tif")


@pytest.mark.parametrize("name", ["out.jpg", "out", "out.tif.gz"])
def test_output_of_unknown_format(refused: Refusal, image: Path, tmp_path: Path, name: str) -> None:
    assert ".png" in refused("stain", image, tmp_path / name, "--model", "tiny")
    assert ".png" in refused("weights", image, tmp_path / name)


def test_stack_into_a_picture(refused: Refusal, image: Path, tmp_path: Path) -> None:
    assert "single plane" in refused("stain", image, tmp_path / "out.png", "--model", "tiny")


@pytest.mark.parametrize("channel", [-1, 1])
def test_channel_out_of_range(refused: Refusal, image: Path, tmp_path: Path, channel: int) -> None:
    assert "channel 0 of cells.tif, which has one channel, got" in refused(
        "stain", image, tmp_path / "o.tif", "--model", "tiny", "--channel", channel
    )
    assert "channel" in refused("weights", image, tmp_path / "o.tif", "--channel", channel)


def test_gpu_memory_that_holds_nothing(refused: Refusal, image: Path, tmp_path: Path) -> None:
    assert "gpu memory" in refused("stain", image, tmp_path / "o.tif", "--model", "tiny", "--gpu-memory", 0.001)


@pytest.mark.parametrize("tile", [0, -5])
def test_tile_below_one(refused: Refusal, image: Path, tmp_path: Path, tile: int) -> None:
    assert "tile" in refused("stain", image, tmp_path / "o.tif", "--model", "tiny", "--tile", tile)


def test_device_that_is_not_there(refused: Refusal, image: Path, tmp_path: Path) -> None:
    absent = "cuda" if not torch.cuda.is_available() else "mps"
    assert absent in refused("stain", image, tmp_path / "o.tif", "--model", "tiny", "--device", absent)
    assert absent in refused("benchmark", "--device", absent)


@pytest.mark.parametrize(("size", "repeats"), [(0, 1), ("100x0", 1), (128, 0)])
def test_benchmark_of_nothing(refused: Refusal, size: object, repeats: int) -> None:
    refused("benchmark", "--size", size, "--repeats", repeats)


def unparsed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error that the parser refuses arguments with."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("mitostain: ")
    return line


@pytest.mark.parametrize(
    "option", [["--tile", "abc"], ["--tile", "1.5"], ["--channel", "x"], ["--device", "abacus"], ["--chanel", "1\n2"]]
)
def test_words_that_the_parser_does_not_know(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    line = unparsed(capsys, "stain", image, tmp_path / "o.tif", *option)
    assert option[0] in line
    assert line.endswith("; see mitostain stain --help." if option[0] != "--chanel" else "; see mitostain --help.")
    assert not (tmp_path / "o.tif").exists()


def test_words_where_numbers_are_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("train", tmp_path, "--output", tmp_path / "run")
    assert "argument --seed: expected a whole number, got 'x'; see" in unparsed(capsys, *command, "--seed", "x")
    assert "argument --minutes: expected a number, got 'x'; see" in unparsed(capsys, *command, "--minutes", "x")
    assert "--epochs" in unparsed(capsys, *command, "--minutes", 1, "--epochs", 1)


@pytest.mark.parametrize("command", [["stain", "", "o.tif"], ["stain", "i.tif", ""], ["train", "", "--output", "run"]])
def test_empty_path_is_not_the_current_folder(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert "expected a path, got an empty text" in unparsed(capsys, *command)


def test_empty_model_is_not_the_default_one(refused: Refusal, image: Path, tmp_path: Path) -> None:
    assert "got ''" in refused("stain", image, tmp_path / "o.tif", "--model", "")


def test_unknown_model_names_those_that_are_there(refused: Refusal, image: Path, tmp_path: Path) -> None:
    for command in (["stain", image, tmp_path / "o.tif", "--model"], ["models", "show"]):
        assert "h9c2-omp25, tiny, got 'absent'" in refused(*command, "absent")
        refused(*command, tmp_path / "absent.safetensors")


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda _: b"", lambda content: content[::-1]])
def test_damaged_model(
    refused: Refusal, image: Path, installed: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    weights = installed / "tiny.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    assert "damaged" in refused("stain", image, tmp_path / "o.tif", "--model", "tiny")


@pytest.mark.parametrize("card", ["", "{}", "[1]", '{"format": "mitostain-model/1"}', None])
def test_damaged_card(refused: Refusal, image: Path, installed: Path, tmp_path: Path, card: str | None) -> None:
    if card is None:
        (installed / "tiny.json").unlink()
    else:
        (installed / "tiny.json").write_text(card)
    assert "card" in refused("stain", image, tmp_path / "o.tif", "--model", "tiny")
    assert "card" in refused("models", "show", "tiny")


class Bomb:
    """Fails the test where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a model was unpickled",)


@pytest.mark.parametrize("name", ["bomb.pt", "bomb.pth", "bomb.ckpt", "bomb.pkl"])
def test_pickled_model_is_never_unpickled(refused: Refusal, image: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    assert "never unpickled" in refused("stain", image, tmp_path / "o.tif", "--model", tmp_path / name)


def test_pickle_under_the_name_of_a_model_is_never_unpickled(
    refused: Refusal, image: Path, installed: Path, tmp_path: Path
) -> None:
    (installed / "tiny.safetensors").write_bytes(pickle.dumps(Bomb()))
    assert "damaged" in refused("stain", image, tmp_path / "o.tif", "--model", "tiny")


def test_bad_image_in_a_folder_is_named_and_the_others_are_done(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    image.rename(tmp_path / "in" / "good.tif")
    renamed_text(tmp_path / "in" / "bad.tif")
    assert main(["stain", str(tmp_path / "in"), str(tmp_path / "out"), "--model", "tiny"]) == 2
    notice, error = capsys.readouterr().err.splitlines()
    assert notice.startswith("mitostain: bad.tif was left out")
    assert error.endswith("bad.tif.")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".mitostain", "good.tif"]


def test_training_on_bad_input(refused: Refusal, pairs_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder, run = pairs_folder("a_1.tif", "b_1.tif"), tmp_path / "run"
    assert "at least 256×256" in refused("train", folder, "--output", run)
    small = ("--output", run, "--patch", 32)
    assert "brightfield" in refused("train", tmp_path, *small)
    assert "--epochs to be" in refused("train", folder, *small, "--epochs", 0)
    for minutes in ("nan", -1, 0):
        assert "--minutes to be a number above zero" in refused("train", folder, *small, "--minutes", minutes)
    assert "--seed to be" in refused("train", folder, *small, "--seed", -1)
    assert "--batch-size to be" in refused("train", folder, *small, "--batch-size", 0)
    assert "--learning-rate to be" in refused("train", folder, *small, "--learning-rate", 0)
    assert "--weight-l1 to be" in refused("train", folder, *small, "--weight-l1", -1)
    assert "--pixel-size to be" in refused("train", folder, *small, "--pixel-size", 0)
    assert "--minimum-area to be a number from 0 to 1" in refused("train", folder, *small, "--minimum-area", 1.5)
    assert "patch" in refused("train", folder, "--output", run, "--patch", 24)
    assert "'c'" in refused("train", folder, *small, "--holdout", "c")
    assert "config.json" in refused("train", folder, *small, "--resume")
    assert "absent" in refused("train", folder, *small, "--init", "absent")
    (folder / "mitochondria" / "b_1.tif").unlink()
    assert "partner" in refused("train", folder, *small)


def test_evaluation_of_different_sizes(refused: Refusal, image: Path, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "other.tif", GRAY)
    assert "got 40×50 for the target and 2×53×71 for the stain of other.tif; " in refused(
        "evaluate", image, tmp_path / "other.tif"
    )


def test_training_on_pairs_of_different_sizes(refused: Refusal, pairs_folder: Callable[..., Path]) -> None:
    folder = pairs_folder("a_1.tif", "b_1.tif")
    assert "got 32×32 for" in refused("train", folder, "--output", folder.parent / "run", "--patch", 64)
    tifffile.imwrite(folder / "mitochondria" / "b_1.tif", GRAY)
    sentence = refused("train", folder, "--output", folder.parent / "run", "--patch", 32)
    assert "got 32×32 for" in sentence
    assert "40×50 for" in sentence


@pytest.mark.parametrize("shape", [(2, 3, 20, 30), (3, 20, 30)])
def test_planes_that_were_saved_as_colours(refused: Refusal, tmp_path: Path, shape: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tifffile is about to stop taking them for colours
        tifffile.imwrite(tmp_path / "in.tif", np.zeros(shape, np.uint8))
    sentence = refused("stain", tmp_path / "in.tif", tmp_path / "out.tif", "--model", "tiny")
    assert "if they are 3 planes, save them with named axes or photometric='minisblack'" in sentence


def test_colours_are_not_taken_for_planes(refused: Refusal, tmp_path: Path) -> None:
    colour(tmp_path / "in.tif")
    assert "convert it to grayscale." in refused("stain", tmp_path / "in.tif", tmp_path / "out.tif", "--model", "tiny")
