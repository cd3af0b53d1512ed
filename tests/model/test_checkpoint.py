"""A checkpoint holds everything a run needs: what goes on from it goes on bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Adam

from napari_mitostain.errors import FileError, ModelError
from napari_mitostain.model.checkpoint import load_checkpoint, save_checkpoint
from napari_mitostain.model.discriminator import Discriminator
from napari_mitostain.model.generator import Generator
from napari_mitostain.model.unet import channels_last

PROGRESS = {"epoch": 3, "batch": 7, "best": 0.5, "note": "µ", "holdout": ["a", "b"]}


class Run:
    """Two networks and their optimisers, small."""

    def __init__(self, seed: int, depth: int = 1) -> None:
        torch.manual_seed(seed)
        self.networks: dict[str, nn.Module] = {"generator": Generator(2, depth), "discriminator": Discriminator(2, 1)}
        for network in self.networks.values():
            channels_last(network)  # as a run has them; the steps then go through the weights in the order of memory
        self.optimizers = {
            f"{name} steps": Adam(net.parameters(), 0.01, fused=True) for name, net in self.networks.items()
        }

    def step(self, seed: int) -> None:
        images = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
        for network, optimizer in zip(self.networks.values(), self.optimizers.values(), strict=True):
            optimizer.zero_grad()
            output = network(images[:, :1] if isinstance(network, Generator) else images)
            output.square().mean().backward()
            optimizer.step()

    def save(self, path: Path) -> None:
        save_checkpoint(path, self.networks, self.optimizers, PROGRESS)

    def load(self, path: Path) -> dict[str, object]:
        return load_checkpoint(path, self.networks, self.optimizers)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value.clone()
            for name, network in self.networks.items()
            for key, value in network.state_dict().items()
        }


def assert_same(first: Run, second: Run) -> None:
    for (name, value), other in zip(first.tensors().items(), second.tensors().values(), strict=True):
        assert torch.equal(value, other), name


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    run = Run(0)
    run.step(0)
    run.save(tmp_path / "checkpoint.safetensors")
    return tmp_path / "checkpoint.safetensors"


def test_checkpoint_from_before_there_was_a_digest_still_loads(saved: Path) -> None:
    save_file(load_file(saved), saved, {"progress": json.dumps(PROGRESS)})
    run, other = Run(0), Run(1)
    run.step(0)
    assert other.load(saved) == PROGRESS
    assert_same(run, other)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_run_that_goes_on_from_a_checkpoint_takes_the_same_next_steps(tmp_path: Path, steps: int) -> None:
    path = tmp_path / "checkpoint.safetensors"
    run, other = Run(0), Run(1)
    for number in range(steps):
        run.step(number)
    run.save(path)
    assert other.load(path) == PROGRESS
    assert_same(run, other)
    for number in range(10, 12):  # of the second one, all of Adam's memory shows
        run.step(number)
        other.step(number)
    assert_same(run, other)


def test_steps_without_the_optimiser_s_memory_would_differ(saved: Path) -> None:
    whole, forgetful = Run(1), Run(2)
    whole.load(saved)
    load_checkpoint(saved, forgetful.networks, {})
    assert_same(whole, forgetful)
    whole.step(5)
    forgetful.step(5)
    assert any(
        not torch.equal(a, b) for a, b in zip(whole.tensors().values(), forgetful.tensors().values(), strict=True)
    )


def test_learning_rate_stays_that_of_the_run_that_loads(saved: Path) -> None:
    run = Run(1)
    run.optimizers["generator steps"].param_groups[0]["lr"] = 0.123
    run.load(saved)
    assert run.optimizers["generator steps"].param_groups[0]["lr"] == 0.123


def test_saving_leaves_no_other_file_and_replaces_the_former(saved: Path) -> None:
    run = Run(4)
    run.save(saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    other = Run(5)
    other.load(saved)
    assert_same(run, other)


REFUSED = r"^Expected a checkpoint of this run in .*checkpoint\.safetensors, got .*; .*\.$"


def assert_refused(path: Path, run: Run) -> None:
    with pytest.raises(ModelError, match=REFUSED) as caught:
        run.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.999])
def test_truncated_checkpoint_is_refused(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    assert_refused(saved, Run(0))


def test_checkpoint_of_other_bytes_is_refused(saved: Path) -> None:
    saved.write_bytes(b"\x80\x04}q\x00." * 500)
    assert_refused(saved, Run(0))


def test_checkpoint_of_another_network_is_refused(saved: Path) -> None:
    assert_refused(saved, Run(0, depth=2))


def test_checkpoint_that_is_gone_is_refused(saved: Path) -> None:
    saved.unlink()
    assert_refused(saved, Run(0))


def test_weights_without_progress_are_refused(saved: Path) -> None:
    save_file(Generator(2, 1).state_dict(), saved)
    assert_refused(saved, Run(0))


def test_folder_that_cannot_be_written_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^Expected to write .*\.$"):
        Run(0).save(tmp_path / "gone" / "checkpoint.safetensors")
