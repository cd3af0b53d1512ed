"""What the user asks the stain widget for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari.layers import Image

from napari_mitostain.config import StainSettings


@dataclass(frozen=True, slots=True)
class StainRequest:
    """What the user asks for.

    Attributes
    ----------
    layer : Image, optional
        None while the viewer has no image.
    channel_axis : int, optional
    channel : int
        Position of brightfield along that axis.
    model : str
        Name of an installed model, or path of a ``.safetensors`` file; "" while there is none.
    planes : {"stack", "view"}
        All planes, or the one in view.
    repeat : {"replace", "add"}
        What becomes of an earlier stain of the layer. A plane never replaces the stain of a whole stack.
    settings : StainSettings
    """

    layer: Image | None = None
    channel_axis: int | None = None
    channel: int = 0
    model: str = ""
    planes: Literal["stack", "view"] = "stack"
    repeat: Literal["replace", "add"] = "replace"
    settings: StainSettings = StainSettings()
