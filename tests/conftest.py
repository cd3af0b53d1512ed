"""What tests of the core share: small networks, small images, an empty place for the user's models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import settings
from scipy.ndimage import gaussian_filter

from napari_mitostain.model.card import Card
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.loading import Model

settings.register_profile("mitostain", deadline=None)  # a machine that also trains is slow at times
settings.load_profile("mitostain")


@pytest.fixture(autouse=True)
def _no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep models and runs of others out of a test, those of other tests too, and in child processes."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data-home" / uuid4().hex))


def make_generator(base_channels: int = 4, depth: int = 2, seed: int = 0) -> Generator:
    """Build a generator with random weights, whose batch norms do something and whose stain spans most of [0, 1]."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        generator = Generator(base_channels, depth)
        for module in generator.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # take the statistics of what it sees
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
        image = torch.randn(2, 1, 12 * generator.stride, 12 * generator.stride)
        logits = super(Generator, generator).forward(image)
        scale = 1.5 / logits.std()  # the stain then spans most of [0, 1]
        generator.head.weight *= scale
        generator.head.bias.copy_(scale * (generator.head.bias - logits.mean()))
    return generator.eval()


@pytest.fixture(scope="session")
def random_generator() -> Callable[..., Generator]:
    """A maker of generators from width, depth and seed."""
    return make_generator


@pytest.fixture
def tiny_model() -> Model:
    """A model of stride 4 with random weights, made for pixels of 0.1 µm."""
    return Model(Card("tiny", "A tiny one.", 4, 2, pixel_size_um=0.1), make_generator(), "c0ffee")


@pytest.fixture
def cells() -> np.ndarray:
    """Brightfield (Y, X) of odd size: smooth structures, grain, uneven light."""
    random = np.random.default_rng(7)
    structure = gaussian_filter(random.standard_normal((53, 71)), 2) * 8
    light = np.linspace(0, 20, 71)
    return (100 + 20 * structure + light + 3 * random.standard_normal((53, 71))).clip(0, 255).astype(np.uint8)


def make_pair(seed: int, shape: tuple[int, int] = (32, 32)) -> tuple[np.ndarray, np.ndarray]:
    """Draw brightfield and the fluorescence of the same place, which is plain to see in it: dark where it shines."""
    random = np.random.default_rng(seed)
    blobs = gaussian_filter(random.standard_normal(shape), 2)
    target = ((blobs - blobs.min()) / np.ptp(blobs)) ** 3
    brightfield = 120 - 60 * target + random.normal(0, 1, shape)
    return brightfield.clip(0, 255).astype(np.uint8), (255 * target).astype(np.uint8)


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Callable[..., Path]:
    """A maker of folders of pairs, from file names; `shape` is that of every image."""

    def make(*names: str, shape: tuple[int, int] = (32, 32)) -> Path:
        folder = tmp_path / "pairs"
        for part in ("brightfield", "mitochondria"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for seed, name in enumerate(names):
            brightfield, target = make_pair(seed, shape)
            tifffile.imwrite(folder / "brightfield" / name, brightfield)
            tifffile.imwrite(folder / "mitochondria" / name, target)
        return folder

    return make


@pytest.fixture(scope="session")
def multi_file_ome() -> Callable[[Path, np.ndarray], list[Path]]:
    """Write an OME-TIFF of three planes into a folder, one of them in each file; returns their names in order."""
    return _multi_file_ome


def _multi_file_ome(folder: Path, planes: np.ndarray) -> list[Path]:
    """Write one OME-TIFF image over three files, as acquisition software does."""
    height, width = planes.shape[1:]
    names = [folder / f"part{number}.ome.tif" for number in ("", "_1", "_2")]
    uuids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{z}" for z in range(3)]
    data = "".join(
        f'<TiffData FirstZ="{z}" PlaneCount="1"><UUID FileName="{name.name}">{uuid}</UUID></TiffData>'
        for z, (name, uuid) in enumerate(zip(names, uuids, strict=True))
    )
    for z, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuids[z]}"><Image ID="Image:0">'
            f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{planes.dtype}" '
            f'SizeX="{width}" SizeY="{height}" SizeZ="3" SizeC="1" '
            f'SizeT="1" PhysicalSizeX="0.2" PhysicalSizeY="0.2">{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(name, planes[z], description=xml, metadata=None, photometric="minisblack")
    return names
