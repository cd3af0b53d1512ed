"""What a run was started with, as its ``config.json`` says it. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_mitostain.config import ScalingSettings, TrainSettings
from napari_mitostain.errors import TrainingError, clause
from napari_mitostain.image.files import atomic_write
from napari_mitostain.training.spec import PairsSpec


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that a run is told.

    Attributes
    ----------
    settings : TrainSettings
    pairs : PairsSpec, optional
        None for pairs that were in memory: whoever resumes the run has to give them again.
    source : str
        Words for where the pairs came from.
    init : str
        Name of the model it started from; empty for an untrained generator.
    init_sha256 : str
        Of that model's weights.
    init_data : tuple of mapping
        That model's own training data, as on its card.
    scaling : ScalingSettings
        Of the brightfield planes: that model's.
    """

    settings: TrainSettings
    pairs: PairsSpec | None
    source: str
    init: str = ""
    init_sha256: str = ""
    init_data: tuple[Mapping[str, str], ...] = ()
    scaling: ScalingSettings = ScalingSettings()


def write_config(path: Path, config: RunConfig) -> None:
    """Write ``config.json``; see `read_config`."""
    values = {
        "settings": config.settings.to_dict(),
        "pairs": config.pairs.to_dict() if config.pairs else None,
        "source": config.source,
        "init": config.init,
        "init_sha256": config.init_sha256,
        "init_data": [dict(entry) for entry in config.init_data],
        "scaling": asdict(config.scaling),
    }
    atomic_write(path, json.dumps(values, indent=2).encode())


def read_config(path: Path) -> RunConfig:
    """Read ``config.json``.

    Raises
    ------
    TrainingError
        If there is none, or it is damaged.
    """
    if not path.exists():
        raise TrainingError(f"Expected a run to resume in {path.parent}, got no config.json; start a new run.")
    try:
        values = json.loads(path.read_bytes())
        return RunConfig(
            settings=TrainSettings.from_dict(values["settings"]),
            pairs=PairsSpec.from_dict(values["pairs"]) if values["pairs"] else None,
            source=str(values["source"]),
            init=str(values["init"]),
            init_sha256=str(values["init_sha256"]),
            init_data=tuple(dict(entry) for entry in values["init_data"]),
            scaling=ScalingSettings.from_dict(values["scaling"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise TrainingError(
            f"Expected the settings of a run in {path}, got some with a fault ({clause(error)}); start a new run."
        ) from error
