"""A model in memory: read from safetensors and its card, written to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from napari_mitostain.errors import ModelError
from napari_mitostain.image.files import atomic_write
from napari_mitostain.model.card import Card
from napari_mitostain.model.fused import fused
from napari_mitostain.model.generator import Generator, folded
from napari_mitostain.model.library import DEFAULT_MODEL, find_weights, load_card
from napari_mitostain.model.openvino_generator import OpenVinoGenerator
from napari_mitostain.model.unet import channels_last
from napari_mitostain.tiling import Geometry


@dataclass(frozen=True)
class Model:
    """A generator with its card: what a user loads.

    Attributes
    ----------
    card : Card
    generator : Generator
        On the CPU, float32, in evaluation mode.
    sha256 : str
        Of the weights' file; empty for a model that has none yet.
    """

    card: Card
    generator: Generator
    sha256: str = ""
    _prepared: dict[tuple[torch.device, torch.dtype], Generator] = field(default_factory=dict, init=False, repr=False)
    _compiled: dict[tuple[torch.dtype, int], OpenVinoGenerator] = field(default_factory=dict, init=False, repr=False)

    def prepared(self, device: torch.device, dtype: torch.dtype) -> Generator:
        """Return the generator for inference on a device, batch norms folded; made once for each device and type.

        Takes (B, 1, H, W) of `dtype` in channels-last layout, gives float32 of the same shape.
        """
        if (device, dtype) not in self._prepared:
            network = folded(self.generator).to(device, dtype)
            channels_last(network)
            self._prepared[device, dtype] = fused(network)
        return self._prepared[device, dtype]

    def by_openvino(self, dtype: torch.dtype) -> OpenVinoGenerator:
        """Return the generator as OpenVINO runs it; made once for each type and number of threads.

        Raises
        ------
        DeviceError
            If OpenVINO is not installed.
        """
        key = dtype, torch.get_num_threads()
        if key not in self._compiled:
            self._compiled[key] = OpenVinoGenerator(self.generator, dtype)
        return self._compiled[key]

    @property
    def geometry(self) -> Geometry:
        """What the generator asks of its tiles."""
        return Geometry(self.generator.stride, self.generator.receptive_radius)


def load_model(name: str | Path = DEFAULT_MODEL) -> Model:
    """Load a model by name or from a file.

    Parameters
    ----------
    name : str or Path
        Name of a bundled or user's model, a ``.safetensors`` file with its ``.json`` card beside it, or the folder of
        a training run.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the model is unknown, damaged, or of a format that would have to be unpickled.
    """
    path = find_weights(name)
    card = load_card(path)
    try:
        content = path.read_bytes()
        weights = _weights(load(content))
    except (SafetensorError, RuntimeError, TypeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"Expected the weights of {card.name} in {path}, got a damaged file ({reason}); copy it again."
        ) from error
    try:
        generator = _generator(card, weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"Expected weights that fit the card of {card.name} ({card.base_channels} base channels, depth "
            f"{card.depth}) in {path}, got others; copy {path.name} and {path.stem}.json from one place."
        ) from error
    return Model(card, generator, hashlib.sha256(content).hexdigest())


def save_model(model: Model, path: Path) -> Model:
    """Write a model's weights, in half precision, and its card beside them.

    Parameters
    ----------
    model : Model
    path : Path
        Ends in ``.safetensors``; existing files are replaced once the new ones are complete.

    Returns
    -------
    Model
        With the hash of the file written.
    """
    weights = {key: _halved(value.detach().cpu().contiguous()) for key, value in model.generator.state_dict().items()}
    content = save(weights)
    atomic_write(path, content)  # the large file first: a disk that has no room for it keeps the former pair
    atomic_write(path.with_suffix(".json"), model.card.to_json().encode())
    return Model(model.card, model.generator, hashlib.sha256(content).hexdigest())


def _weights(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in float32, all of them finite."""
    weights = {key: value.float() if value.is_floating_point() else value for key, value in stored.items()}
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise ValueError("its weights are not finite")
    return weights


def _generator(card: Card, weights: dict[str, Tensor]) -> Generator:
    """Build the card's generator around its weights; a card they do not fit costs no memory."""
    with torch.device("meta"):
        generator = Generator(card.base_channels, card.depth)
    generator.load_state_dict(weights, assign=True)
    return generator.eval()


def _halved(value: Tensor) -> Tensor:
    """Return floats in half precision, unless they are too large for it; anything else as it is."""
    half = value.to(torch.float16)
    return half if value.is_floating_point() and bool(half.isfinite().all()) else value
