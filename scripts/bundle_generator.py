"""Train the bundled generator and measure it by leaving one series out at a time.

    python scripts/bundle_generator.py PAIRS WORK [--only SERIES]

PAIRS is a folder with brightfield/ and mitochondria/ (the 111 pairs of h9c2_omp25). WORK keeps the simulated pairs, one
run for each series and one on all pairs; what is there already is resumed or taken as it is. With --only one series is
trained and scored and nothing written but WORK, so that several can train at a time. At the end the model and its card
replace those in src/napari_mitostain/model/bundled/, and WORK/scores.md and scores.json say how good it is. A quarter
of an hour each on a core with bfloat16.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch

from cell_free import cell_free
from napari_mitostain.config import SimulationSettings, TrainSettings, WeightSettings
from napari_mitostain.evaluation.report import Report, evaluate
from napari_mitostain.events import EpochDone, Event
from napari_mitostain.image.files import atomic_write, list_images
from napari_mitostain.model.card import Card
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.model.library import BUNDLED, DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.scoring import Scores, bootstrap_interval, mean_scores
from napari_mitostain.simulating import simulate_folder
from napari_mitostain.staining import stain_folder
from napari_mitostain.training.brightness import BrightnessFit
from napari_mitostain.training.norms import NormEstimator
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

SERIES = ("TL_011", "TL_009", "TL_010", "TL_012")
ALONE = TrainSettings(
    epochs=100,
    patch=192,  # smaller than the 256-pixel images: every epoch cuts them elsewhere
    crops_per_frame=1,
    minimum_area=0.05,
    discriminator_loss="none",
    pixel_size_um=0.08,
    holdout=(),
)
"""Training with the TN loss alone, a third of the time of a step with both players."""

SIMULATED, CELLS, FIRST_SEED = 480, SimulationSettings(), 1
"""How many pairs are simulated, of what, and the seed of the first."""

BEFORE = replace(ALONE, epochs=20, crops_per_frame=4)
"""First the generator learns from simulated cells; their images have more than four times the area of a patch."""

VARIED, MICROSCOPES, THEIR_SEED = 160, SimulationSettings(randomise=2.0), 5001
"""Pairs under microscopes of all kinds, as which nobody's is out of the way."""

CELL_FREE, OF_THEM = 64, 32
"""How many fields without a cell it sees then, and how many beside real pairs: nothing is to be seen in them."""

AGREEING = replace(ALONE, weighting=WeightSettings(a=(0.05, 0.5, 0.3), b=(0.15, 0.2, 0.7)), warp=True)
"""From here on stains are also asked to correlate. That is blind to how dark the background is, so the weight map
begins at 0.15 and not at 0."""

DARK = replace(AGREEING, epochs=4, crops_per_frame=2, weight_correlation=0.5)
"""Then it learns from all simulated cells and fields without a cell."""

REAL = replace(AGREEING, epochs=120, weight_correlation=2.0)
"""How it learns from real pairs."""

AGAINST = replace(REAL, epochs=4, discriminator_loss="mse", weight_l1=300.0, learning_rate=3e-4)
"""Then it plays against the discriminator."""

SHARE = 0.75
"""In the end its weights are averaged with those it had before the real pairs: this share of what it is now."""

DARKNESS = 4
"""How often each field without a cell counts where brightness is fitted."""

STAGES = {"simulated": BEFORE, "dark": DARK, "real": REAL, "against": AGAINST}
"""What the card says of the training."""

BASELINES = ("constant", "variance", "ceiling")
DIGITS = 3, 2, 3, 3
_CROP = re.compile(r"_\d+$")
"""The number of a crop, at the end of its name; what is left names its frame."""


def main() -> None:
    """Train, measure, write the bundled model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=[*SERIES, "all"], help="train without this series, or on all pairs")
    arguments = parser.parse_args()
    cells = simulated(arguments.work / "simulated", SIMULATED, CELLS, FIRST_SEED)
    start = finished(cells, arguments.work / "simulated-first", BEFORE, None)
    varied, free = simulated(arguments.work / "varied", VARIED, MICROSCOPES, THEIR_SEED), list(cell_free(CELL_FREE))
    start = finished([*cells, *varied, *free], arguments.work / "dark", DARK, start)
    reports, model = {}, start
    for series in [arguments.only] if arguments.only else [*SERIES, "all"]:
        model = trained(arguments.pairs, arguments.work / series, series, start, free[:OF_THEM])
        if series != "all":
            reports[series] = left_out(arguments.pairs, series, model)
            print(series, reports[series].mean, flush=True)
    if not arguments.only:
        save_bundled(model, scores_of(reports))
        atomic_write(arguments.work / "scores.md", table(reports).encode())
        said = {series: report.to_dict() for series, report in reports.items()}
        atomic_write(arguments.work / "scores.json", json.dumps(said, indent=2).encode())


def simulated(folder: Path, count: int, settings: SimulationSettings, seed: int) -> list[Pair]:
    """Return simulated pairs; they are completed as far as they are missing."""
    for _ in simulate_folder(folder, count, settings, seed):
        pass
    return open_pairs(folder).pairs


def trained(pairs: Path, folder: Path, series: str, start: Model, free: list[Pair]) -> Model:
    """Return a generator trained without a series, averaged with its start, and as bright as what it learnt from."""
    others = [pair for pair in open_pairs(pairs).pairs if not pair.acquisition.endswith(series)]
    real = finished([*others, *free], folder / "real", REAL, start)
    end = finished([*others, *free], folder / "against", AGAINST, real)
    model = as_bright_as([*others, *free * DARKNESS], averaged(start, end, [*others, *free]))
    save_model(model, folder / "model.safetensors")
    return model


def averaged(start: Model, end: Model, pairs: Sequence[Pair]) -> Model:
    """Return a generator whose weights lie between two; the end was trained from the start.

    The statistics of its batch norms are its own, estimated on the pairs: those between two networks are of neither.

    References
    ----------
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.
    """
    first, last = start.generator.state_dict(), end.generator.state_dict()
    generator = deepcopy(end.generator)
    between = {
        name: torch.lerp(first[name], weights, SHARE) if weights.is_floating_point() else weights
        for name, weights in last.items()
    }
    generator.load_state_dict(between)
    return Model(end.card, _returned(NormEstimator(pairs, ALONE, Frames()).estimated(generator)))


def as_bright_as(pairs: Sequence[Pair], model: Model) -> Model:
    """Return a model whose stains are as bright as the targets of pairs."""
    return Model(model.card, _returned(BrightnessFit(pairs, 256, Frames()).fitted(model.generator)))


def _returned(events: Generator[Event, None, Network]) -> Network:
    """Go through a generator of events, and return what it does in the end."""
    while True:
        try:
            next(events)
        except StopIteration as stop:
            network: Network = stop.value
            return network


def finished(pairs: Sequence[Pair], run: Path, settings: TrainSettings, init: Model | None) -> Model:
    """Return the model of a run, training it first as far as it is not yet trained.

    Nothing is held out, so it is the last one: pairs that score a model must not choose it.
    """
    begun = (run / "config.json").exists()
    if begun and RunFolder(run).config().init_sha256 != (init.sha256 if init else ""):
        raise SystemExit(f"Expected a run in {run} that starts as this one would, got another; choose a new WORK.")
    if RunFolder(run).state() != "finished":
        for event in train(pairs, run, settings, init, resume=begun):
            if isinstance(event, EpochDone):
                print(run, event.epoch, dict(event.losses), flush=True)
    return load_model(run)


def left_out(pairs: Path, series: str, model: Model) -> Report:
    """Score a model on a series that it has not seen, by the way its user would: stain the files, evaluate them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("brightfield", "mitochondria"):
            (folder / part).mkdir()
            for path in list_images(pairs / part):
                if f"{series}_" in path.name:
                    shutil.copy(path, folder / part)
        for _ in stain_folder(folder / "brightfield", folder / "stain", model):
            pass
        return evaluate(folder / "stain", folder / "mitochondria", folder / "brightfield")


def scores_of(reports: dict[str, Report]) -> dict[str, dict[str, float]]:
    """Lay the scores out for the card: each left-out series, their mean, and the mean of each baseline."""
    rows: dict[str, Scores] = {f"left out {series}": report.mean for series, report in reports.items()}
    rows["mean of series"] = mean_scores([report.mean for report in reports.values()])
    for baseline in BASELINES:
        rows[baseline] = mean_scores([report.baselines[baseline] for report in reports.values()])
    for series, report in reports.items():
        rows |= {f"{series} {name}": scores for name, scores in report.baselines.items()}
    return {name: scores.to_dict() for name, scores in rows.items()}


def table(reports: dict[str, Report]) -> str:
    """Lay the scores out as Markdown, those of the stains with their intervals."""
    lines = ["| | SSIM | PSNR (dB) | Pearson | detail |", "|---|---|---|---|---|"]
    for series, report in reports.items():
        found = [
            f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
            for (mean, low, high), digits in zip(intervals(report), DIGITS, strict=True)
        ]
        lines.append(_line(f"**{series}** left out: stain", found))
        lines += [_line(f"{series} {name}", _texts(report.baselines[name])) for name in BASELINES]
    lines.append(_line("**mean**: stain", _texts(mean_scores([report.mean for report in reports.values()]))))
    for name in BASELINES:
        lines.append(
            _line(f"mean {name}", _texts(mean_scores([report.baselines[name] for report in reports.values()])))
        )
    return "\n".join([*lines, ""])


def intervals(report: Report) -> list[tuple[float, float, float]]:
    """Return the mean of each score and the ends of its interval; what is drawn are frames, not their crops."""
    frames: dict[str, list[Scores]] = {}
    for name, scores in report.planes.items():
        frames.setdefault(_CROP.sub("", Path(name).stem), []).append(scores)
    found = []
    for score, mean in report.mean.to_dict().items():
        found.append((mean, *bootstrap_interval([[getattr(s, score) for s in crops] for crops in frames.values()])))
    return found


def _texts(scores: Scores) -> list[str]:
    return [f"{value:.{digits}f}" for value, digits in zip(scores.to_dict().values(), DIGITS, strict=True)]


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def save_bundled(model: Model, scores: dict[str, dict[str, float]]) -> None:
    """Write the model with its full card into the package."""
    card = Card(
        name=DEFAULT_MODEL,
        summary="For live H9c2 cells in brightfield; trained with the TN loss and a U-Net discriminator.",
        base_channels=model.card.base_channels,
        depth=model.card.depth,
        pixel_size_um=model.card.pixel_size_um,
        weighting=model.card.weighting,
        training={stage: settings.to_dict() for stage, settings in STAGES.items()},
        data=(
            {
                "name": "111 pairs of live H9c2 cells, eGFP-OMP25, OMX V4 60x/1.42, 80 nm a pixel",
                "source": "A. Somani et al., Biomed. Opt. Express 13, 5495 (2022), VirtualStain_I2I",
                "licence": "GPL-3.0",
            },
            {
                "name": f"{SIMULATED} pairs of simulated H9c2 cells, 512x512 pixels of 80 nm",
                "source": f"mitostain simulate --cells {SIMULATED} --seed {FIRST_SEED}",
                "licence": "BSD-3-Clause",
            },
            {
                "name": f"{VARIED} more under microscopes of all kinds",
                "source": f"mitostain simulate --cells {VARIED} --seed {THEIR_SEED} --randomise 2",
                "licence": "BSD-3-Clause",
            },
            {
                "name": f"{CELL_FREE} simulated fields without a cell, with a dark target",
                "source": "scripts/cell_free.py",
                "licence": "BSD-3-Clause",
            },
        ),
        scores=scores,
        limits=(
            "Digitally predicted: relative intensity, not quantitative fluorescence. Trained on one cell line and "
            "one microscope; check it on your own pairs before you trust it. Not for diagnosis, not for counting or "
            "measuring single mitochondria, and not where a dye's absence or intensity is the result."
        ),
        licence="GPL-3.0, from the training data",
    )
    BUNDLED.mkdir(exist_ok=True)
    save_model(Model(card, model.generator), BUNDLED / f"{DEFAULT_MODEL}.safetensors")


if __name__ == "__main__":
    main()
