"""What a run keeps of its generator: scored epochs, the best of them as its model, previews, and the final card."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from napari_mitostain.errors import ModelError
from napari_mitostain.events import Event, RunDone, StartScored
from napari_mitostain.model.generator import Generator as Network
from napari_mitostain.model.loading import Model, load_model, save_model
from napari_mitostain.training.brightness import BrightnessFit
from napari_mitostain.training.checkpoints import Progress
from napari_mitostain.training.faults import device_there
from napari_mitostain.training.norms import NormEstimator
from napari_mitostain.training.outcome import card_of, verdict_of
from napari_mitostain.training.pair import Frames
from napari_mitostain.training.players import Players
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.split import Split
from napari_mitostain.training.validation import Validator, Verdicts

_LOOKED_AT = 16
"""Pairs, at most, whose brightness the stains are brought to."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of an epoch that was validated.

    Attributes
    ----------
    found : Verdicts
    name : str
        Of the epoch's generator in the run's folder; empty if it was not kept.
    best : bool
    """

    found: Verdicts = field(default_factory=Verdicts)
    name: str = ""
    best: bool = False


class Keeper:
    """Scores and keeps the generator of one run.

    Parameters
    ----------
    run : RunFolder
    config : RunConfig
    players : Players
    progress : Progress
    split : Split
    frames : Frames
    """

    def __init__(
        self, run: RunFolder, config: RunConfig, players: Players, progress: Progress, split: Split, frames: Frames
    ) -> None:
        self._run, self._config, self._players, self._at = run, config, players, progress
        self._split, self._frames = split, frames
        self._norms = NormEstimator(split.training, config.settings, frames)
        self._brightness = BrightnessFit(split.training, config.settings.patch, frames, _LOOKED_AT)
        self.validator = Validator(split, config.settings, frames)

    def score_start(self) -> Iterator[Event]:
        """Score what there is to beat, and write the previews' crops."""
        self._run.previews.write_crops(*self.validator.crops())
        scores = yield from self.validator.baselines()
        if self._config.init:  # nothing has moved its weights yet
            found = yield from self.validator.validate(self._model(self._players.generator))
            self._run.previews.write_stains(None, found.stains)
            scores = {"start": found.scores, **scores} if found.scores else scores
        self._at.start = dict(scores)
        if scores:
            yield StartScored(scores=scores)

    def validated(self) -> Generator[Event, None, Kept]:
        """Score the epoch, write its generator and previews, and make it the run's model if it is the best."""
        at = self._at
        generator = yield from self._settled()
        found = yield from self.validator.validate(self._model(generator), self._players)
        model = self._model(generator, self._scores(found.scores))
        place = self._run.place_for(at.epoch)
        save_model(model, place)
        self._run.previews.write_stains(at.epoch, found.stains)
        former = at.best["scores"]["detail_pearson"] if at.best and at.best["scores"] else -math.inf
        best = not found.scores or found.scores["detail_pearson"] > former
        if best:
            at.best = {"epoch": at.epoch, "step": at.step, "scores": found.scores}
            save_model(model, self._run.model)
        return Kept(found, place.stem, best)

    def finish(self) -> Iterator[Event]:
        """Score the best model on the test pairs, once, and write it with its final card."""
        best, generator = self._best()
        if generator is None:
            generator = yield from self._settled()
        scores = self._scores(best["scores"])
        if self._split.test:
            tester = Validator(Split(self._split.training, self._split.test), self._config.settings, self._frames)
            tested = yield from tester.validate(self._model(generator))
            scores["test"] = tested.scores
        verdict = verdict_of(scores, self._config.init, len(self._split.validation))
        save_model(self._model(generator, scores, verdict, best["step"]), self._run.model)
        yield RunDone(
            model=str(self._run.model),
            scores=best["scores"],
            epoch=best["epoch"] if best["scores"] else None,
            verdict=verdict,
        )

    def _best(self) -> tuple[dict[str, Any], Network | None]:
        """Return the best epoch and its generator, from either place where it lies; None if it has to be the last."""
        if self._at.best:
            for path in (self._run.kept().get(self._at.best["epoch"]), self._run.model):
                if path is not None:
                    with suppress(ModelError):  # deleted or damaged
                        return self._at.best, load_model(path).generator
        return {"epoch": self._at.epoch - 1, "step": self._at.step, "scores": {}}, None

    def _settled(self) -> Generator[Event, None, Network]:
        with device_there("validation"):
            generator = yield from self._norms.estimated(self._players.shown, self._at.parts)
            if self._config.settings.match_brightness:
                generator = yield from self._brightness.fitted(generator)
            return generator

    def _scores(self, validation: dict[str, float]) -> dict[str, dict[str, float]]:
        known = {name: dict(scores) for name, scores in (self._at.start or {}).items()}
        return ({"validation": validation} if validation else {}) | known

    def _model(
        self,
        generator: Network,
        scores: dict[str, dict[str, float]] | None = None,
        verdict: str = "",
        step: int | None = None,
    ) -> Model:
        name = self._run.path.resolve().name
        steps = self._at.step if step is None else step
        return Model(card_of(name, self._config, self._split.training, steps, scores or {}, verdict), generator)
