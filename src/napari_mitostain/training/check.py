"""The pair check: everything about the pairs that a user should know before a run trains on them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import FileError, ImageError, TrainingError
from napari_mitostain.events import Event, Finding, Measured
from napari_mitostain.model.loading import Model
from napari_mitostain.training.misalignment import Misalignment
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pair_findings import (
    about_copies,
    about_crops,
    about_pixel_sizes,
    about_pixels,
    about_sizes,
)
from napari_mitostain.training.pairs import Opened, unusable
from napari_mitostain.training.split import Split, split_pairs
from napari_mitostain.training.survey import PairFacts, facts_of, has_crops, measured_pairs


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found.

    Attributes
    ----------
    pairs : list of Pair
        Those that can be used, with the statistics that their weights take.
    facts : list of PairFacts
        Of each of them.
    findings : list of Finding
        All of them, those about the files included.
    split : Split, optional
        How they are split, without frames that train nothing; None where there is an error.
    """

    pairs: list[Pair]
    facts: list[PairFacts]
    findings: list[Finding] = field(default_factory=list)
    split: Split | None = None

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep a run from starting."""
        return [finding for finding in self.findings if finding.severity == "error"]


def check_pairs(
    opened: Opened | Sequence[Pair], settings: TrainSettings, model: Model | None, frames: Frames
) -> Generator[Event, None, Checked]:
    """Look once at every pair.

    Parameters
    ----------
    opened : Opened or sequence of Pair
    settings : TrainSettings
        Of the run that is to train on them.
    model : Model, optional
        That it starts from; its stain then tells whether the fluorescence is in line, else the brightfield's texture.
    frames : Frames
        Keeps what was read, as far as memory allows.

    Yields
    ------
    Event
        `Measured` after each pair, a place to stop at, and each `Finding` as soon as it is known.

    Returns
    -------
    Checked
    """
    opened = opened if isinstance(opened, Opened) else Opened(list(opened))
    findings: list[Finding] = []

    def kept(found: Iterator[Finding]) -> Iterator[Finding]:
        for one in found:
            findings.append(one)
            yield one

    yield from kept(iter(opened.findings))
    yield from kept(about_sizes(opened.pairs, settings))
    yield from kept(about_pixel_sizes(opened.pairs, settings, model))
    yield from kept(_about_split(opened.pairs, settings))
    alignment = Misalignment(opened.pairs, settings, model)
    measured: list[tuple[Pair, PairFacts]] = []
    for done, pair in enumerate(opened.pairs, start=1):
        try:
            measured.append((pair, _measured(pair, settings, frames, alignment)))
        except (FileError, ImageError) as error:
            yield from kept(iter([unusable(pair.name, error, opened.skip_unreadable)]))
        yield Measured(done=done, total=len(opened.pairs))
    pairs, facts = [pair for pair, _ in measured], [fact for _, fact in measured]
    if opened.pairs and not pairs:
        yield from kept(about_sizes(pairs, settings))
    yield from kept(about_pixels(pairs, facts))
    yield from kept(about_crops(pairs, facts, settings))
    yield from kept(alignment.findings())
    checked = Checked(measured_pairs(pairs, facts, settings.weighting.scope), facts, findings)
    if checked.errors:
        return checked
    split = split_pairs(checked.pairs, settings)
    yield from kept(about_copies(split, {pair.source: fact for pair, fact in measured}))
    usable = {pair.source: fact.has_crops for pair, fact in measured}
    training = [pair for pair in split.training if _trains(pair, usable[pair.source], settings, frames)]
    if not training:
        yield from kept(iter([_nothing_trains(settings)]))
        return checked
    return replace(checked, split=replace(split, training=training))


def _measured(pair: Pair, settings: TrainSettings, frames: Frames, alignment: Misalignment) -> PairFacts:
    """Read a pair once, for all there is to know of it."""
    planes = pair.source.planes()
    plane = pair.source.frame(*planes)
    frames.put(pair, plane)
    frame = pair.of_plane(plane)
    alignment.look_at(pair, frame)
    return facts_of(planes, frame, settings)


def _trains(pair: Pair, has_any: bool, settings: TrainSettings, frames: Frames) -> bool:
    """Tell whether a pair gives crops; of a strip of a plane that is not known yet."""
    return has_any if pair.box is None else has_crops(frames[pair], settings)


def _about_split(pairs: Sequence[Pair], settings: TrainSettings) -> Iterator[Finding]:
    """Say before any pixel is read what cannot be split."""
    try:
        if pairs:
            split_pairs(pairs, settings)
    except TrainingError as error:
        yield Finding(severity="error", message=str(error))


def _nothing_trains(settings: TrainSettings) -> Finding:
    return Finding(
        severity="error",
        message=f"No frame that trains has a place with at least {settings.minimum_area:.0%} of mitochondria; lower "
        "the minimum area or hold out others.",
    )
