"""What the user asks the fine-tuning widget for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from napari.layers import Image

from napari_mitostain.config import TrainSettings

PairsFrom = Literal["layers", "folder", "two"]


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """A layer of the viewer, and which of its channels is meant.

    Attributes
    ----------
    layer : Image, optional
        None while the viewer has no image.
    channel_axis : int, optional
    channel : int
        Position along that axis.
    """

    layer: Image | None = None
    channel_axis: int | None = None
    channel: int = 0


@dataclass(frozen=True, slots=True)
class PairsChoice:
    """Where the pairs are; what belongs to another place than the chosen one is remembered, and not used.

    Attributes
    ----------
    source : {"layers", "folder", "two"}
        Two layers, a folder with ``brightfield/`` and ``mitochondria/``, or two folders.
    brightfield, mitochondria : LayerChoice
    folder, brightfield_folder, mitochondria_folder : str
    brightfield_channel, mitochondria_channel : int, optional
        Of the images in folders; None for the first.
    shifts : mapping of str to tuple of int
        For each acquisition, rows and columns by which the fluorescence is moved.
    skip_unreadable : bool
        Leave out what cannot be read.
    """

    source: PairsFrom = "layers"
    brightfield: LayerChoice = LayerChoice()
    mitochondria: LayerChoice = LayerChoice()
    folder: str = ""
    brightfield_folder: str = ""
    mitochondria_folder: str = ""
    brightfield_channel: int | None = None
    mitochondria_channel: int | None = None
    shifts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    skip_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What the user asks for.

    Attributes
    ----------
    pairs : PairsChoice
    model : str
        That the run starts from: the name of an installed one, or the path of a ``.safetensors`` file; "" for an
        untrained one.
    preset : str
        Name of the preset that the settings began as.
    settings : TrainSettings
    name : str
        Of the run, and of the model it makes.
    folder : str
        That the run is kept in; "" for the place of all runs.
    """

    pairs: PairsChoice
    model: str
    preset: str
    settings: TrainSettings
    name: str = ""
    folder: str = ""
