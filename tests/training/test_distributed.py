"""Two processes train one model, as torchrun starts them: equal to each other, and to one process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from napari_mitostain.config import TrainSettings
from napari_mitostain.training.distributed import ALONE, World, is_first_process, joined
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

WORKER = """
import os, sys
import torch
from pathlib import Path
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from napari_mitostain.config import TrainSettings
from napari_mitostain.training import players, trainer

torch.set_num_threads(1)
folder, run, settings = Path(sys.argv[1]), Path(sys.argv[2]), TrainSettings.from_dict(eval(sys.argv[3]))
made = []

def new_players(settings):
    made.append(players.new_players(settings))
    for optimizer in made[0].optimizers().values():
        optimizer.param_groups[0]["eps"] = 1e-3  # else Adam's first steps know the signs of gradients only
    return made[0]

def by_fixed_statistics(norm, image):
    mean, variance = torch.zeros(norm.num_features), torch.ones(norm.num_features)
    return F.batch_norm(image, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)

trainer.new_players = new_players
if sys.argv[4] == "fixed":  # statistics depend on how a batch is shared
    nn.BatchNorm2d.forward = by_fixed_statistics
for event in trainer.train(folder, run, settings):
    print(type(event).__name__, flush=True)
weights = {
    f"{name}/{key}": value.detach().contiguous()
    for name, network in made[0].networks().items()
    for key, value in network.named_parameters()
}
save_file(weights, f"{run}-rank{os.environ.get('RANK', '-')}.safetensors")
print(*(path.read_text() for path in Path("/proc/self/task").glob("*/comm")))  # its threads, where the system tells
"""


def trained(script: Path, processes: int, *arguments: str) -> str:
    launcher = (
        ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", str(script)]
        if processes > 1
        else [str(script)]
    )
    done = subprocess.run([sys.executable, *launcher, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("norms", ["own", "fixed"])
def test_two_processes_train_like_one(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path, norms: str
) -> None:
    folder = pairs_folder("a_t1.tif", "a_t2.tif", "b_t1.tif", "b_t2.tif", "c_t1.tif", shape=(40, 40))
    settings = replace(tiny, epochs=2, batch_size=3, ema=0.5, clip_gradients=1.0, holdout=("c",), learning_rate=1e-2)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    told = str(settings.to_dict()), norms
    said = trained(script, 2, str(folder), str(tmp_path / "two"), *told)
    assert said.split().count("EpochDone") == 2  # only the first process speaks
    assert "gloo" not in said  # a thread of the group that outlives the interpreter aborts it
    first, second = (load_file(tmp_path / f"two-rank{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    run = RunFolder(tmp_path / "two")
    assert run.state() == "finished"
    assert list(run.kept()) == [0, 1]
    trained(script, 1, str(folder), str(tmp_path / "one"), *told)
    alone = load_file(tmp_path / "one-rank-.safetensors")
    losses = [
        [entry["losses"] for entry in RunFolder(tmp_path / name).history() if entry["event"] == "EpochDone"]
        for name in ("one", "two")
    ]
    if norms == "own":
        # Batch norm sees one or two of three images at a time: the same task, and nearly the same losses.
        assert losses[1][0]["l1"] == pytest.approx(losses[0][0]["l1"], rel=0.25)
    else:
        # Six steps of sums of float32 in another order.
        for name in alone:
            torch.testing.assert_close(first[name], alone[name], rtol=1e-3, atol=1e-5)
        for one, two in zip(*losses, strict=True):
            assert one == pytest.approx(two, rel=1e-4)


def test_two_processes_make_a_run_longer_once(
    pairs_folder: Callable[..., Path], tiny: TrainSettings, tmp_path: Path
) -> None:
    folder, run = pairs_folder("a_t1.tif", "b_t1.tif"), RunFolder(tmp_path / "run")
    list(train(folder, run.path, replace(tiny, epochs=1)))
    command = ["train", "--output", str(run.path), "--resume", "--epochs", "2"]
    trained(Path("-m"), 2, "napari_mitostain", *command)
    assert run.config().settings.epochs == 2
    assert sum("Continued for" in entry.get("message", "") for entry in run.history()) == 1
    assert [entry["epoch"] for entry in run.history() if entry["event"] == "EpochDone"] == [0, 1]


@pytest.mark.parametrize(("rank", "size", "is_first"), [("0", "2", True), ("1", "2", False), ("1", "1", True)])
def test_first_process_is_known_before_it_joins(
    monkeypatch: pytest.MonkeyPatch, rank: str, size: str, is_first: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    assert is_first_process() is is_first


def test_shares_of_a_batch_are_all_of_it() -> None:
    images = torch.arange(5.0).reshape(5, 1, 1, 1)
    batch = Batch(images, images)
    shares = [World(rank, 3).share(batch).target.flatten().tolist() for rank in range(3)]
    assert sorted(value for share in shares for value in share) == [0, 1, 2, 3, 4]
    assert ALONE.share(batch) is batch
    assert len(World(2, 3).share(replace(batch, brightfield=images[:2], target=images[:2])).target) == 0


def test_process_of_its_own_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(torch.device("cpu")) as (world, device):
        assert (world, device) == (ALONE, torch.device("cpu"))
