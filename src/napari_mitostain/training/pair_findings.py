"""What the pixels of pairs tell before a run learns from them, each in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Finding
from napari_mitostain.image import sides
from napari_mitostain.model.loading import Model
from napari_mitostain.training.pair import Pair, Source
from napari_mitostain.training.split import Split
from napari_mitostain.training.stack_findings import differ, finding
from napari_mitostain.training.survey import PairFacts

_FEW = 5
"""Pairs below which validation and model hang on single images."""

_SATURATED = 0.01
"""Part of an image's pixels at its limit that is worth mentioning."""


def about_sizes(pairs: Sequence[Pair], settings: TrainSettings) -> Iterator[Finding]:
    """Say what can be said before any pixel is read: none, few, or smaller than a patch."""
    small = [pair for pair in pairs if min(pair.shape) < settings.patch]
    if not pairs:
        yield finding(
            "error", "Expected at least one pair, got none; choose images of brightfield and fluorescence.", ()
        )
    elif small:
        least = min(small, key=lambda pair: min(pair.shape))
        fitting = _fitting(min(least.shape), settings)
        advice = f"choose a patch of {fitting} pixels" if fitting else "use larger images"
        others = f" and {len(small) - 1} more" if len(small) > 1 else ""
        yield finding(
            "error",
            f"Expected images of at least {settings.patch}×{settings.patch} pixels, got {sides(least.shape)} for "
            f"{least.name}{others}; {advice}.",
            [pair.name for pair in small],
        )
    if len(pairs) == 1:
        yield finding(
            "warning",
            "There is only one pair: the model will suit this field and may fail on the next, which nothing here can "
            "show; add pairs of other fields.",
            (),
        )
    elif 1 < len(pairs) < _FEW:
        yield finding(
            "warning", f"There are only {len(pairs)} pairs; 10 or more make the model and its scores surer.", ()
        )


def _fitting(side: int, settings: TrainSettings) -> int:
    """Return the largest patch that fits, 0 if none does."""
    cell = 2**settings.depth
    fitting = side // cell * cell
    return fitting if fitting > cell else 0


def about_pixel_sizes(pairs: Sequence[Pair], settings: TrainSettings, model: Model | None) -> Iterator[Finding]:
    """Compare the pixel sizes of the files with each other, with the settings and with the starting model."""
    known = [pair for pair in pairs if pair.pixel_size is not None]
    own = known[0].pixel_size if known else settings.pixel_size_um
    if own is None:
        if pairs:
            said = "The pixel size is unknown, so it cannot be compared with that of images to stain; enter it under "
            yield finding("note", f"{said}Advanced, or as --pixel-size on the command line.", ())
        return
    odd = [pair.name for pair in known if pair.pixel_size is not None and differ(pair.pixel_size, own)]
    if odd:
        said = (
            f"Pixels are not of one size: {own:.3g} µm in {known[0].name}, another in {{names}}; resample them to one."
        )
        yield finding("warning", said, odd)
    if known and settings.pixel_size_um is not None and differ(settings.pixel_size_um, own):
        said = f"The images have pixels of {own:.3g} µm, but {settings.pixel_size_um:.3g} µm are entered; correct one."
        yield finding("warning", said, ())
    start = model.card.pixel_size_um if model is not None else None
    if model is not None and start is not None and differ(own, start):
        yield finding(
            "warning",
            f"The images have pixels of {own:.3g} µm, {model.card.name} was trained on {start:.3g} µm; resample them "
            "or expect a longer training.",
            (),
        )


def about_pixels(pairs: Sequence[Pair], facts: Sequence[PairFacts]) -> Iterator[Finding]:
    """Name the images that hold nothing, or not what was meant."""
    yield from _about_constant(pairs, facts)
    alike = _names(pairs, facts, lambda fact: fact.brightfield.digest == fact.fluorescence.digest)
    if alike:
        said = "Expected two images of a place, got the same one twice in {names}; choose another channel or file."
        yield finding("error", said, alike)
    for part, saturated in (
        ("brightfield", _names(pairs, facts, lambda fact: fact.brightfield.saturated > _SATURATED)),
        ("fluorescence", _names(pairs, facts, lambda fact: fact.fluorescence.saturated > _SATURATED)),
    ):
        if saturated:
            said = f"The {part} of {len(saturated)} pair(s) is saturated in more than {_SATURATED:.0%} of its pixels: "
            yield finding(
                "warning", f"{said}{{names}}; their true intensities are lost, leave them out if you can.", saturated
            )
    odd = _names(pairs, facts, lambda fact: not fact.is_finite)
    if odd:
        said = f"{len(odd)} pair(s) have pixels that are not finite, the median of the others stands in: {{names}}."
        yield finding("warning", said, odd)


def _about_constant(pairs: Sequence[Pair], facts: Sequence[PairFacts]) -> Iterator[Finding]:
    for part, constant in (
        ("brightfield", _names(pairs, facts, lambda fact: fact.brightfield.is_constant)),
        ("fluorescence", _names(pairs, facts, lambda fact: fact.fluorescence.is_constant)),
    ):
        if constant and len(constant) == len(pairs):
            yield finding(
                "error", f"Expected contrast in the {part}, got constant images only; choose others.", constant
            )
        elif constant:
            said = f"{len(constant)} pair(s) have a constant {part}, from which nothing can be learnt: {{names}}"
            yield finding("warning", f"{said}; leave them out.", constant)


def about_copies(split: Split, facts: Mapping[Source, PairFacts]) -> Iterator[Finding]:
    """Find the same pixels among what trains and what is held out."""
    trained = {digest: pair for pair in split.training for digest in _digests(facts[pair.source])}
    copies = [
        pair.name
        for pair in [*split.validation, *split.test]
        for digest in _digests(facts[pair.source])
        if digest in trained and trained[digest].source is not pair.source
    ]
    if copies:
        said = "The same image trains and validates, so its score is too good: {names}; remove the copy."
        yield finding("warning", said, list(dict.fromkeys(copies)))


def _digests(facts: PairFacts) -> list[bytes]:
    return [image.digest for image in (facts.brightfield, facts.fluorescence) if not image.is_constant]


def about_crops(pairs: Sequence[Pair], facts: Sequence[PairFacts], settings: TrainSettings) -> Iterator[Finding]:
    """Say where the area rule leaves nothing to cut."""
    bare = _names(pairs, facts, lambda fact: not fact.has_crops)
    where = f"with at least {settings.minimum_area:.0%} of mitochondria in a patch of {settings.patch} pixels"
    if pairs and len(bare) == len(pairs):
        yield finding("error", f"Expected frames {where}, got none; lower the minimum area.", bare)
    elif bare:
        yield finding("note", f"{len(bare)} frame(s) have no place {where} and train nothing: {{names}}.", bare)


def _names(pairs: Sequence[Pair], facts: Sequence[PairFacts], has: Callable[[PairFacts], bool]) -> list[str]:
    return [pair.name for pair, fact in zip(pairs, facts, strict=True) if has(fact)]
