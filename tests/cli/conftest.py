"""Commands run in this process, a model of the user's own, and images to give to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_mitostain.cli import main
from napari_mitostain.model import library
from napari_mitostain.model.loading import Model, save_model


@dataclass(frozen=True)
class Done:
    """What a command left behind: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output, parsed as strictly as any program would."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        assert self.status == 0, self.err
        return json.loads(self.out.splitlines()[-1], parse_constant=refuse)

    @property
    def sentence(self) -> str:
        """The one sentence on standard error of a command that was given bad input."""
        assert (self.status, self.out) == (2, "")
        (sentence,) = self.err.splitlines()
        assert sentence.startswith("mitostain: Expected ")
        assert ", got " in sentence
        assert "; " in sentence
        assert sentence.endswith(".")
        return sentence


@pytest.fixture
def mitostain(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command."""

    def run(*arguments: Any) -> Done:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # by argparse
            status = int(str(ended.code))
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    return run


@pytest.fixture(autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, tiny_model: Model) -> Path:
    """The folder of the user's models, which holds "tiny"."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setattr(library, "user_models", lambda: folder)
    save_model(tiny_model, folder / "tiny.safetensors")
    return folder


@pytest.fixture
def model_file(installed: Path) -> Path:
    """The file of "tiny"."""
    return installed / "tiny.safetensors"


@pytest.fixture
def plane_file(tmp_path: Path, cells: np.ndarray) -> Path:
    """One plane, with pixels of 0.1 µm."""
    metadata = {"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    tifffile.imwrite(tmp_path / "plane.ome.tif", cells, ome=True, metadata=metadata)
    return tmp_path / "plane.ome.tif"


@pytest.fixture
def image(tmp_path: Path, cells: np.ndarray) -> Path:
    """A stack of two planes."""
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.stack([cells, cells[::-1]]), photometric="minisblack")
    return path
