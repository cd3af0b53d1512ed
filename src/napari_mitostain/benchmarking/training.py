"""Time training against the bare networks and against the loop that pix2pix is usually trained by, in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mitostain.benchmarking.classic import ClassicLoop
from napari_mitostain.benchmarking.rounds import Rounds, timed
from napari_mitostain.config import StainSettings, TrainSettings
from napari_mitostain.model.device import choose_device, choose_dtype
from napari_mitostain.model.losses import l1_loss, mse_adversarial
from napari_mitostain.prefetching import prefetched
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.patches import Batch, batches_of_epoch
from napari_mitostain.training.players import Players, new_players
from napari_mitostain.training.stepper import Stepper

_PAIRS = 8
_STEPS = {"cpu": 4}
"""Steps a round; a device that answers late needs more of them for a time worth the name."""
_MORE_STEPS = 20
_WORKERS = {"cpu": 0}
"""Processes of the classic loop's loader: on a processor they would take their time from the networks."""
_MORE_WORKERS = 2


def benchmark_training(patch: int = 256, repeats: int = 5, settings: StainSettings = StainSettings()) -> dict[str, Any]:
    """Compare training from pairs in files with the arithmetic of its networks alone.

    Parameters
    ----------
    patch : int
        Side of the patches in pixels, a multiple of the generator's stride; the frames are twice as large.
    repeats : int
        Rounds; in each, every contestant takes some steps.
    settings : StainSettings
        Device and precision.

    Returns
    -------
    dict
        Samples a second of "training" (patches cut from pairs, one D+G step), "bare_step" (forward, backward and
        optimisers of the same networks on one batch, in the same precision, without weights, started call by call) and
        "pix2pix_loop" (the classic loop: data loader, two optimisers, float32; the same networks, files and losses),
        and the median over the rounds of the ratios "training_throughput_over_bare_step" and
        "training_throughput_over_pix2pix_loop".
    """
    device = choose_device(settings.device)
    dtype = choose_dtype("auto" if settings.precision == "float16" else settings.precision, device)
    recipe = TrainSettings(epochs=1, patch=patch, crops_per_frame=4, minimum_area=0.05, device=settings.device)
    steps = _STEPS.get(device.type, _MORE_STEPS)
    workers = _WORKERS.get(device.type, _MORE_WORKERS)
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder), 2 * patch)
        pairs = open_pairs(Path(folder)).pairs
        contestants: dict[str, Callable[[int], float]] = {
            "training": real_training(pairs, recipe, device, dtype),
            "bare_step": bare_step(recipe, device, dtype),
            "pix2pix_loop": ClassicLoop(pairs, recipe, device, workers),
        }
        rounds = timed({name: partial(take, steps) for name, take in contestants.items()}, repeats)
        del contestants  # the loader's processes end before the files go
    return _throughputs(rounds, steps * recipe.batch_size) | {
        "training_patch": patch,
        "training_batch": recipe.batch_size,
        "pix2pix_loop_workers": workers,
    }


def real_training(
    pairs: Sequence[Pair], settings: TrainSettings, device: torch.device, dtype: torch.dtype
) -> Callable[[int], float]:
    """Return what takes steps as a run takes them, their batches included, and returns the last losses' sum."""
    stepper = Stepper(new_players(settings).to(device), settings, dtype)
    batches = _endless(pairs, settings)

    def take(steps: int) -> float:
        losses = torch.zeros(())
        for batch in prefetched(islice(batches, steps)):  # nothing is made ready while others have their turn
            losses = stepper.step(batch)
        return float(losses.sum())  # a run looks at them now and then

    return take


def bare_step(settings: TrainSettings, device: torch.device, dtype: torch.dtype) -> Callable[[int], float]:
    """Return what takes steps of both networks on a batch that lies ready, with the plainest losses there are."""
    players = new_players(settings).to(device)
    shape = (settings.batch_size, 1, settings.patch, settings.patch)
    batch = Batch(torch.rand(shape), torch.rand(shape)).to(device)
    autocast = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)

    def take(steps: int) -> float:
        return float([_bare(players, batch, autocast) for _ in range(steps)][-1])

    return take


def _bare(players: Players, batch: Batch, autocast: torch.autocast) -> torch.Tensor:
    discriminator, discriminator_optimizer = players.discriminator, players.discriminator_optimizer
    assert discriminator is not None
    assert discriminator_optimizer is not None
    with autocast:
        stain = players.generator(batch.brightfield)
        real = discriminator.judge(batch.brightfield, batch.target)
        fake = discriminator.judge(batch.brightfield, stain.detach())
    discriminator_optimizer.zero_grad()
    (mse_adversarial(real, True) + mse_adversarial(fake, False)).backward()  # type: ignore[no-untyped-call]
    discriminator_optimizer.step()
    discriminator.requires_grad_(False)
    with autocast:
        judged = discriminator.judge(batch.brightfield, stain)
    discriminator.requires_grad_(True)
    players.generator_optimizer.zero_grad()
    loss = mse_adversarial(judged, True) + l1_loss(stain, batch.target)
    loss.backward()  # type: ignore[no-untyped-call]
    players.generator_optimizer.step()
    return loss.detach()


def _endless(pairs: Sequence[Pair], settings: TrainSettings) -> Iterator[Batch]:
    frames = Frames()
    for epoch in count():
        yield from batches_of_epoch(pairs, settings, epoch, frames)


def _throughputs(rounds: Rounds, samples: int) -> dict[str, float]:
    """Turn seconds of rounds into samples a second, and compare."""
    result = {f"{name}_samples_per_second": median(samples / times[name] for times in rounds) for name in rounds[0]}
    for opponent in [name for name in rounds[0] if name != "training"]:
        ratio = median(times[opponent] / times["training"] for times in rounds)
        result[f"training_throughput_over_{opponent}"] = ratio
    return result


def _write_pairs(folder: Path, side: int) -> None:
    """Write pairs of a texture and of what is bright in it, as a camera would give them."""
    random = np.random.default_rng(0)
    for part in ("brightfield", "mitochondria"):
        (folder / part).mkdir()
    for number in range(_PAIRS):
        texture = gaussian_filter(random.standard_normal((side, side)), 3)
        for part, image in (("brightfield", texture), ("mitochondria", texture.clip(0) ** 2)):
            tifffile.imwrite(folder / part / f"field_{number}.tif", _sixteen_bit(image))


def _sixteen_bit(image: NDArray[Any]) -> NDArray[np.uint16]:
    levels: NDArray[np.uint16] = (4000 * (image - image.min()) / np.ptp(image)).astype(np.uint16)
    return levels
