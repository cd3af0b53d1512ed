"""Train the bundled generator and measure it by leaving one series out at a time.

    python scripts/bundle_generator.py PAIRS WORK [--pretrain N]

PAIRS is a folder with brightfield/ and mitochondria/ (the 111 pairs of h9c2_omp25). WORK keeps one run for each series
and one on all pairs; what is there already is resumed or taken as it is. At the end the model and its card replace
those in src/napari_mitostain/model/bundled/. About 10 minutes each on two cores with bfloat16.

With --pretrain the generators start from one that has learnt from N simulated pairs, which WORK keeps too.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_mitostain.config import SimulationSettings, TrainSettings
from napari_mitostain.evaluation.report import Report, evaluate
from napari_mitostain.events import EpochDone
from napari_mitostain.image.files import list_images
from napari_mitostain.model.card import Card
from napari_mitostain.model.library import BUNDLED, DEFAULT_MODEL
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.scoring import Scores, mean_scores
from napari_mitostain.simulating import simulate_folder
from napari_mitostain.staining import stain_folder
from napari_mitostain.training.pair import Pair
from napari_mitostain.training.pairs import open_pairs
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.trainer import train

SERIES = ("TL_011", "TL_009", "TL_010", "TL_012")
ALONE = TrainSettings(
    epochs=70,
    patch=192,  # smaller than the 256-pixel images: every epoch cuts them elsewhere
    crops_per_frame=1,
    minimum_area=0.05,
    discriminator_loss="none",
    pixel_size_um=0.08,
    holdout=(),
)
"""First the generator learns from the TN loss alone, which takes a third of the time of a step with both players."""

AGAINST = replace(ALONE, epochs=12, discriminator_loss="mse", weight_l1=300.0, learning_rate=3e-4)
"""Then it plays against the discriminator."""

STAGES = {"alone": ALONE.to_dict(), "against": AGAINST.to_dict()}
"""What the card says of the training: both stages, on all pairs."""

CELLS, FIRST_SEED = SimulationSettings(), 1
"""What is simulated for pre-training, and the seed of its first pair."""

BEFORE = replace(ALONE, epochs=20, crops_per_frame=4)
"""Pre-training; a simulated image has more than four times the area of a patch."""


def main() -> None:
    """Train, measure, write the bundled model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pretrain", type=int, default=0, metavar="N", help="simulated pairs to learn from first")
    arguments = parser.parse_args()
    start = pretrained(arguments.work, arguments.pretrain) if arguments.pretrain else None
    reports = {}
    for series in SERIES:
        model = trained(arguments.pairs, arguments.work / series, (series,), start)
        reports[series] = left_out(arguments.pairs, series, model)
        print(series, reports[series].mean, flush=True)
    last = trained(arguments.pairs, arguments.work / "all", (), start)
    save_bundled(last, table(reports), arguments.pretrain)


def pretrained(work: Path, count: int) -> Model:
    """Return a generator that has seen simulated pairs only; pairs and run are completed as far as they are missing."""
    for _ in simulate_folder(work / "simulated", count, CELLS, FIRST_SEED):
        pass
    pairs = open_pairs(work / "simulated").pairs[:count]  # there may be more, from another time
    return finished(pairs, work / f"pretrained-{count}", BEFORE, None)


def trained(pairs: Path, folder: Path, series: tuple[str, ...], start: Model | None = None) -> Model:
    """Return a generator trained without some series, by itself and then against the discriminator."""
    others = [pair for pair in open_pairs(pairs).pairs if not pair.acquisition.endswith(series)]
    alone = finished(others, folder / "alone", ALONE, start)
    return finished(others, folder / "against", AGAINST, alone)


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


def table(reports: dict[str, Report]) -> dict[str, dict[str, float]]:
    """Lay the scores out for the card: each left-out series, their mean, and the mean of each baseline."""
    rows: dict[str, Scores] = {f"left out {series}": report.mean for series, report in reports.items()}
    rows["mean of series"] = mean_scores([report.mean for report in reports.values()])
    for baseline in ("constant", "variance", "ceiling"):
        rows[baseline] = mean_scores([report.baselines[baseline] for report in reports.values()])
    for series, report in reports.items():
        rows |= {f"{series} {name}": scores for name, scores in report.baselines.items()}
    return {name: scores.to_dict() for name, scores in rows.items()}


def save_bundled(model: Model, scores: dict[str, dict[str, float]], simulated: int = 0) -> None:
    """Write the model with its full card into the package."""
    cells = {
        "name": f"{simulated} pairs of simulated cells, 512x512 pixels of 80 nm, for pre-training",
        "source": f"mitostain simulate --cells {simulated} --seed {FIRST_SEED}",
        "licence": "BSD-3-Clause",
    }
    card = Card(
        name=DEFAULT_MODEL,
        summary="For live H9c2 cells in brightfield; trained with the TN loss and a U-Net discriminator.",
        base_channels=model.card.base_channels,
        depth=model.card.depth,
        pixel_size_um=model.card.pixel_size_um,
        weighting=model.card.weighting,
        training={"pretrained": BEFORE.to_dict(), **STAGES} if simulated else STAGES,
        data=(
            {
                "name": "111 pairs of live H9c2 cells, eGFP-OMP25, OMX V4 60x/1.42, 80 nm a pixel",
                "source": "A. Somani et al., Biomed. Opt. Express 13, 5495 (2022), VirtualStain_I2I",
                "licence": "GPL-3.0",
            },
            *([cells] if simulated else []),
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
