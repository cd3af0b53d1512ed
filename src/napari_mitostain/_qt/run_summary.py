"""What the list of runs, and the view of one, tell of a run; read in a thread, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_mitostain._qt.tune_history import title_of
from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import MitostainError
from napari_mitostain.model.card import Card
from napari_mitostain.model.library import MODEL_OF_RUN, load_card
from napari_mitostain.training.registry import known_runs
from napari_mitostain.training.run import RunFolder, State

_SHOWN = ("StartScored", "EpochDone", "RunDone", "Notice")
"""Kinds of events that are shown of a run."""

_NOTICES = 3
"""Notices that are shown of a run."""

STATES: dict[State, str] = {
    "running": "training",
    "finished": "finished",
    "unfinished": "unfinished",
    "damaged": "damaged",
}


@dataclass(frozen=True)
class RunSummary:
    """What is told of a run.

    Attributes
    ----------
    path : Path
    state : {"running", "finished", "unfinished", "damaged"}
    settings : TrainSettings, optional
        None if they cannot be read.
    epochs : int
        That are done.
    fraction : float
        Part of the run that is done.
    best : int, optional
        The epoch that is the run's model; None where none was validated.
    scores : mapping of str to float
        Of that epoch.
    to_beat : mapping of str to mapping
        Scores of the starting model, "start", and of what needs no learning.
    verdict : str
        Whether training helped; empty before the end.
    notices : tuple of str
        The last of what the run wanted known.
    stamp : tuple of int
        Of its events, when they were read.
    changed : float
        When the run last said something, in seconds since 1970.
    """

    path: Path
    state: State
    settings: TrainSettings | None = None
    epochs: int = 0
    fraction: float = 0.0
    best: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    to_beat: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    verdict: str = ""
    notices: tuple[str, ...] = ()
    stamp: tuple[int, int] = (0, 0)
    changed: float = 0.0

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.path.name

    @property
    def in_epochs(self) -> bool:
        """Whether it is counted in epochs, and not in minutes."""
        return self.settings is None or self.settings.epochs is not None

    def to_text(self) -> str:
        """Return two lines for a narrow list."""
        state = STATES[self.state] + ("" if self.state == "finished" else f", {self.fraction:.0%}")
        said = [f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"]
        said += [f"{name} {self.scores[key]:.2f}" for key, name in _BRIEF.items() if key in self.scores]
        return f"{self.name} – {state}\n{', '.join(said)}; {when(self.changed)}"


_BRIEF = {"pearson": "Pearson", "detail_pearson": "detail"}


@dataclass(frozen=True)
class RunDetails:
    """A run with all that is shown of it.

    Attributes
    ----------
    summary : RunSummary
    events : sequence of dict
    card : Card or str
        Of its model, or why there is none.
    """

    summary: RunSummary
    events: Sequence[dict[str, Any]]
    card: Card | str


def read_runs(before: Mapping[Path, RunSummary] = MappingProxyType({})) -> list[RunSummary]:
    """Return the runs of this computer, newest first; one that cannot be understood is damaged.

    Parameters
    ----------
    before : mapping of Path to RunSummary
        As they were read before: a run that rests and has said nothing since is not read again.
    """
    return [
        known
        if (known := before.get(path)) is not None and known.state != "running" and known.stamp == _stamp(path)
        else _summary_or_damage(path)
        for path in known_runs()
    ]


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes whenever a run says something."""
    with suppress(OSError):
        log = (path / "events.jsonl").stat()
        return log.st_mtime_ns, log.st_size
    return 0, 0


def _summary_or_damage(path: Path) -> RunSummary:
    try:
        return summary_of(path)
    except (KeyError, TypeError, ValueError, AttributeError, OSError):
        return RunSummary(path, "damaged")


def summary_of(path: Path) -> RunSummary:
    """Read a run's folder."""
    return _read(path)[0]


def read_details(path: Path) -> RunDetails:
    """Read all that is shown of a run."""
    summary, said = _read(path)
    try:
        card: Card | str = load_card(path / MODEL_OF_RUN)
    except MitostainError:
        card = "There is no model yet: the first comes with the first epoch that is validated."
    return RunDetails(summary, [event for event in said if event["event"] in _SHOWN], card)


def _read(path: Path) -> tuple[RunSummary, list[dict[str, Any]]]:
    stamp = _stamp(path)  # first: what is said meanwhile is read next time
    said = RunFolder(path).history()
    return replace(_summary(path, said), stamp=stamp), said


def _summary(path: Path, said: Sequence[Mapping[str, Any]]) -> RunSummary:
    run, settings = RunFolder(path), None
    with suppress(MitostainError):
        settings = run.config().settings
    epochs = [event for event in said if event["event"] == "EpochDone"]
    bests = [event for event in epochs if event.get("best")]
    starts = [event for event in said if event["event"] == "StartScored"]
    ends = [event for event in said if event["event"] == "RunDone"]
    state = run.state()
    return RunSummary(
        path=path,
        state=state,
        settings=settings,
        epochs=len(epochs),
        fraction=float(epochs[-1]["fraction"]) if epochs else 0.0,
        best=int(bests[-1]["epoch"]) if bests else None,
        scores=dict(bests[-1].get("scores", {})) if bests else {},
        to_beat=dict(starts[-1].get("scores", {})) if starts else {},
        verdict=str(ends[-1].get("verdict", "")) if ends and state == "finished" else "",
        notices=tuple(dict.fromkeys(str(event["message"]) for event in said if event["event"] == "Notice"))[-_NOTICES:],
        changed=float(said[-1].get("time", 0)) if said else 0.0,
    )


def told_of(run: RunSummary) -> str:
    """Say in what state a run is, how well it does, and where its model is."""
    said = {
        "running": "This run is being trained.",
        "finished": run.verdict or "This run is complete.",
        "unfinished": f"Unfinished, {run.fraction:.0%} is done: Resume goes on from the last checkpoint.",
        "damaged": "The folder of this run is damaged, or not complete yet: it cannot go on.",
    }[run.state]
    if run.best is not None and run.state != "running":  # what is said below is newer
        detail = run.scores.get("detail_pearson")
        how_good = "" if detail is None else f" (detail Pearson {detail:.3f})"
        best = "is" if run.state == "finished" else "so far is"
        said += f" The best model {best} that of {title_of(run.best)}{how_good}, in {run.path / MODEL_OF_RUN}."
    return said


def when(seconds: float) -> str:
    """Say when something was: the time of today, the date of another day."""
    if not seconds:
        return "just begun"
    moment = datetime.fromtimestamp(seconds)
    return f"{moment:%H:%M}" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d}"
