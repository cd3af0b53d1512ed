"""How the time and the memory of staining grow with the size of a stack."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from napari_mitostain.config import StainSettings
from napari_mitostain.image import load_array
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.staining import stain_stack

_SMALLEST, _LARGEST = 256, 16384
_FEW, _MANY = (1, 10), (1, 10, 100, 500)


def benchmark_growth(side: int = 2048, full: bool = False, settings: StainSettings = StainSettings()) -> dict[str, Any]:
    """Stain planes of 256², 512² … pixels, and stacks of 1, 10 … planes of 256², one after another.

    Parameters
    ----------
    side : int
        Of the largest plane, unless `full`.
    full : bool
        Go on to 16384² pixels and 500 planes.
    settings : StainSettings

    Returns
    -------
    dict
        For each stack, such as "stain_10x256x256", its "…_seconds", "…_megapixels_a_second" and, where the system
        tells, "…_peak_gb": the most memory over that before the first, the plane itself included.
    """
    model, sides, largest = load_model(), [_SMALLEST], _LARGEST if full else side
    while 2 * sides[-1] <= largest:
        sides.append(2 * sides[-1])
    stacks = [(planes, _SMALLEST) for planes in (_MANY if full else _FEW)] + [(1, side) for side in sides[1:]]
    _stained(model, settings, 1, _SMALLEST)  # what is made ready once is no one's time
    before = peak_memory()
    result = dict[str, Any]()
    for planes, length in stacks:  # upwards: the peak is that of the process so far
        seconds = _stained(model, settings, planes, length)
        name = f"stain_{planes}x{length}x{length}"
        result[f"{name}_seconds"] = seconds
        result[f"{name}_megapixels_a_second"] = planes * length**2 / 1e6 / seconds
        if before is not None and (now := peak_memory()) is not None:
            result[f"{name}_peak_gb"] = (now - before) / 1e9
    return result


def _stained(model: Model, settings: StainSettings, planes: int, side: int) -> float:
    """Stain so many planes, all of the same memory, keep none of the stains, and return the seconds."""
    plane = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    stack = load_array(np.broadcast_to(plane, (planes, side, side)), "ZYX")
    started = time.perf_counter()
    for _ in stain_stack(stack, model, settings):
        pass
    return time.perf_counter() - started


def peak_memory() -> int | None:
    """Return the most bytes that this process has had in memory, None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
