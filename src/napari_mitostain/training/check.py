"""The pair check: everything about the pairs that a user should know before a run trains on them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from napari_mitostain.config import TrainSettings
from napari_mitostain.events import Event, Finding
from napari_mitostain.model.loading import Model
from napari_mitostain.training.pair import Frames, Pair
from napari_mitostain.training.pairs import Opened
from napari_mitostain.training.split import Split, split_pairs
from napari_mitostain.training.survey import PairFacts, flaws, measured_pairs, survey


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
        How they are split; None where there is an error.
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
    opened: Opened | Sequence[Pair],
    settings: TrainSettings,
    model: Model | None,  # noqa: ARG001 - will stain what is compared with the fluorescence
    frames: Frames,
) -> Generator[Event, None, Checked]:
    """Look once at every pair.

    Parameters
    ----------
    opened : Opened or sequence of Pair
    settings : TrainSettings
        Of the run that is to train on them.
    model : Model, optional
        That it starts from.
    frames : Frames
        Keeps what was read, as far as memory allows.

    Yields
    ------
    Event
        `Measured` after each pair, and each `Finding`; a place to stop at.

    Returns
    -------
    Checked
    """
    opened = opened if isinstance(opened, Opened) else Opened(list(opened))
    findings = list(opened.findings)
    facts = yield from survey(opened.pairs, frames)
    findings += [Finding(severity="warning", message=flaw) for flaw in flaws(opened.pairs, facts)]
    if not opened.pairs:
        findings.append(
            Finding(
                severity="error", message="There is no pair to train on; add images of brightfield and mitochondria."
            )
        )
    yield from findings
    checked = Checked(measured_pairs(opened.pairs, facts, settings.weighting.scope), facts, findings)
    if checked.errors:
        return checked
    return Checked(checked.pairs, facts, findings, split_pairs(checked.pairs, settings))
