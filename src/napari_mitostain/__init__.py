"""Digital staining: see the mitochondria in brightfield stacks of living cells, without a dye.

Importing this package loads neither torch nor Qt nor napari; each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mitostain.evaluation.report import evaluate
    from napari_mitostain.model.loading import load_model
    from napari_mitostain.model.losses import TNLoss
    from napari_mitostain.simulation import simulate_cell
    from napari_mitostain.staining import stain
    from napari_mitostain.training.trainer import train
    from napari_mitostain.weighting.weight_map import tn_weights

__all__ = ["TNLoss", "evaluate", "load_model", "simulate_cell", "stain", "tn_weights", "train"]

_HOMES = {
    "TNLoss": "model.losses",
    "evaluate": "evaluation.report",
    "load_model": "model.loading",
    "simulate_cell": "simulation",
    "stain": "staining",
    "tn_weights": "weighting.weight_map",
    "train": "training.trainer",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
