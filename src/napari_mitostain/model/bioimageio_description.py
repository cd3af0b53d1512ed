"""What a bioimage.io package says of a model, for programs and for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from napari_mitostain.model.card import Card
from napari_mitostain.model.library import MODEL_OF_RUN
from napari_mitostain.model.loading import Model

_FORMAT = "0.5.3"
"""Old enough for programs that are not of today."""

OURS = MODEL_OF_RUN, str(Path(MODEL_OF_RUN).with_suffix(".json"))
"""Weights and card, which we read again: what is in the network would have to be unpickled."""

_LICENCES = ("GPL-3.0", "BSD-3-Clause", "MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0")
"""Identifiers of SPDX; the format has a place for no other text."""

_CITED = [
    {
        "text": "A. Somani et al., Digital staining of mitochondria in label-free live-cell microscopy, "
        "in: Bildverarbeitung für die Medizin 2021, proceedings",
        "doi": "10.1007/978-3-658-33198-6",
    }
]


def description(model: Model, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the format asks to know."""
    card = model.card
    licence = card.licence.partition(", from the training data")[0]  # which we write there ourselves
    return {
        "type": "model",
        "format_version": _FORMAT,
        "name": f"Mitochondria from brightfield ({re.sub(r'[^A-Za-z0-9_+() -]', '_', card.name)[:64]})",
        "description": f"{card.summary} {card.limits}".strip()[:512],
        "authors": [{"name": "napari-mitostain"}],
        "cite": _CITED,
        **({"license": licence} if licence in _LICENCES else {}),
        "tags": ["mitochondria", "brightfield", "fluorescence-light-microscopy", "2d", "unet", "pytorch"],
        "documentation": "README.md",
        "attachments": [_file(name, files) for name in OURS],
        "inputs": [_tensor("brightfield", model, files)],
        "outputs": [_tensor("stain", model, files)],
        "weights": {
            "torchscript": _file("network.pt", files) | {"pytorch_version": torch.__version__.partition("+")[0]}
        },
    }


def _tensor(name: str, model: Model, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Describe what comes in, or what goes out: of the same size.

    No halo is named. Readers of the format would mirror whole planes around it, and so change how they are scaled; and
    tiles, of which each is scaled by itself, would meet hardly better.
    """
    is_input, pixel = name == "brightfield", model.card.pixel_size_um
    scale = {"unit": "micrometer", "scale": pixel} if pixel else {}

    def size(axis: str) -> dict[str, Any]:
        least = {"min": model.geometry.stride, "step": 1}
        return {"size": least if is_input else {"tensor_id": "brightfield", "axis_id": axis}}

    return {
        "id": name,
        "description": "in the camera's own intensities" if is_input else "digitally predicted, relative intensity",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": [name]},
            *({"type": "space", "id": axis} | scale | size(axis) for axis in ("y", "x")),
        ],
        "data": {"type": "float32"} | ({} if is_input else {"range": [0.0, 1.0]}),
        "test_tensor": _file(f"{name}.npy", files),
    }


def _file(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def readme(card: Card) -> str:
    """Return what a user of another program has to know."""
    return f"""# {card.name}

Takes brightfield as the camera gives it: contrast, background and padding are the network's own work. They are those of
the whole plane, so give it planes in one piece where memory allows. Pixels have to be finite numbers, and of the size
named below: bring planes of another size to it first.

```
{card.to_text()}
```

## Validation

Stain planes whose fluorescence you have, and compare: `mitostain evaluate PREDICTED TARGET --brightfield B` scores them
beside trivial baselines.
"""
