"""What a run that is resumed goes on with: its own settings and pairs, each pair in the part that it had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_mitostain.config import TrainSettings
from napari_mitostain.errors import TrainingError
from napari_mitostain.training.pairs import Opened, open_pairs
from napari_mitostain.training.run import RunFolder
from napari_mitostain.training.run_config import RunConfig
from napari_mitostain.training.run_pairs import read_run_pairs
from napari_mitostain.training.spec import PARTS, PairsSpec, pairs_in
from napari_mitostain.training.split import Split

_LENGTHS = ("epochs", "minutes")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run was told, beside what it is given now.

    Attributes
    ----------
    config : RunConfig
    spec : PairsSpec, optional
        Where its pairs are now; None for pairs in memory.
    is_elsewhere : bool
        Whether that is another place than recorded.
    remarks : list of str
        In what it does not follow, or no longer fits, what it is given now.
    """

    config: RunConfig
    spec: PairsSpec | None
    is_elsewhere: bool
    remarks: list[str]


def recorded(run: RunFolder, settings: TrainSettings, spec: PairsSpec | None, given: Opened | None) -> Recorded:
    """Read what a run was told, and compare it with the settings and the pairs, by place or in memory, given now."""
    config = run.config()
    before, now = config.settings.to_dict(), settings.to_dict()
    names = [name for name in before if before[name] != now[name] and (now[name] is not None or name in _LENGTHS)]
    changed = [f"{name} {before[name]} and not {now[name]}" for name in names]
    remarks = [f"The run keeps its own settings: {', '.join(changed)}."] if changed else []
    own = config.pairs
    if (spec is None and given is None) or (given is not None and own is None):
        return Recorded(config, own, False, remarks)
    if spec is not None and own is not None and _paths(spec) == _paths(own):
        return Recorded(config, own, False, remarks + _not_followed(spec, own))
    started, found = (_named(one) if one is not None else "pairs in memory" for one in (own, spec))
    remarks.append(f"The run was started on other pairs: {started}; it goes on with {found}.")
    return Recorded(config, spec and _as_before(spec, own), True, remarks)


def _paths(spec: PairsSpec) -> dict[str, Any]:
    told = spec.to_dict()
    return {part: told[part] for part in PARTS}


def _options(spec: PairsSpec) -> dict[str, Any]:
    """Return what is chosen of a spec's images; nothing for what is left as it is."""
    return {
        name: value for name, value in spec.to_dict().items() if name not in PARTS and value not in (None, {}, False)
    }


def _not_followed(spec: PairsSpec, own: PairsSpec) -> list[str]:
    before = own.to_dict()
    other = [name for name, value in _options(spec).items() if value != before[name]]
    kept = ", ".join(f"{name.replace('_', ' ')} {before[name]}" for name in other)
    return [f"The run keeps its own choice of pairs: {kept}."] if other else []


def _as_before(spec: PairsSpec, own: PairsSpec | None) -> PairsSpec:
    """Take pairs of another place with the channels and shifts of the run, unless others are given."""
    if own is None or _options(spec):
        return spec
    return replace(own, brightfield=spec.brightfield, mitochondria=spec.mitochondria)


def _named(spec: PairsSpec) -> str:
    one, other = _paths(spec).values()
    folder = Path(one).parent
    return str(folder) if _paths(pairs_in(folder)) == _paths(spec) else f"{one} and {other}"


def open_recorded(run: RunFolder, told: Recorded, given: Opened | None) -> tuple[Split, list[str]] | None:
    """Open the pairs of a run and give them the parts they had; no pixels are read, as they were checked at the start.

    Parameters
    ----------
    run : RunFolder
    told : Recorded
    given : Opened, optional
        Pairs in memory.

    Returns
    -------
    tuple
        Split, and what the user should know; None if they have to be checked: for a run that is older than
        this record, or pairs of another place that are not the same.

    Raises
    ------
    TrainingError, FileError
        If a pair is gone, or is not what it was.
    """
    pairs = read_run_pairs(run.pairs)
    if pairs is None:
        return None
    try:
        opened = given or open_pairs(required(run, told.spec), told.config.scaling, pairs.files)
        split = pairs.split(opened)
    except TrainingError:
        if told.is_elsewhere:
            return None
        raise
    more = pairs.newcomers(opened)
    said = f"{more} pair(s) or file(s) have come since the run began and take no part; a new run would use them."
    return split, [said] if more else []


def required(run: RunFolder, spec: PairsSpec | None) -> PairsSpec:
    """Return where the pairs of a run are.

    Raises
    ------
    TrainingError
        If they were in memory.
    """
    if spec is None:
        raise TrainingError(
            f"Expected the pairs of {run.path}, which was started on images in memory, got none; give them again."
        )
    return spec
