"""What tests of training share: easy pairs, settings of a tiny network, and one thread to compute with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from napari_mitostain.config import TrainSettings
from napari_mitostain.image import scale_brightfield
from napari_mitostain.training.pair import Pair, pair_of_arrays


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: those of tiny networks wait for each other most of the time on a machine that is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> TrainSettings:
    """Three epochs of a network of two levels."""
    return TrainSettings(
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


def _easy_pair(seed: int, acquisition: str, side: int = 40) -> Pair:
    """Draw brightfield of which the fluorescence is a blurred function: bright where it is dark."""
    brightfield = scale_brightfield(gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 1.5))
    target = gaussian_filter((-brightfield).clip(0, None), 1)
    return pair_of_arrays(f"pair {seed}", acquisition, brightfield, (target / target.max()).astype(np.float32))


@pytest.fixture(scope="session")
def easy_pair() -> Callable[..., Pair]:
    """Draw a pair from seed, acquisition and side."""
    return _easy_pair


@pytest.fixture(scope="session")
def pairs() -> list[Pair]:
    """Five pairs of three acquisitions."""
    return [_easy_pair(seed, acquisition) for seed, acquisition in enumerate("aabbc")]


def _same_end(first: Path, second: Path) -> bool:
    """Tell whether two runs came to the same networks, optimisers and model, bit for bit."""
    ends = [load_file(run / "checkpoint.safetensors") for run in (first, second)]
    models = [(run / "model.safetensors").read_bytes() for run in (first, second)]
    return _equal(*ends) and models[0] == models[1]


def _equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="session")
def same_end() -> Callable[[Path, Path], bool]:
    """Compare the checkpoints and models of two runs."""
    return _same_end


@pytest.fixture(scope="session")
def checkpoint_of() -> Callable[[Path], dict[str, torch.Tensor]]:
    """Read all tensors of a run's checkpoint."""
    return lambda run: load_file(run / "checkpoint.safetensors")


@pytest.fixture(scope="session")
def equal() -> Callable[..., bool]:
    """Compare two dictionaries of tensors bit for bit."""
    return _equal
