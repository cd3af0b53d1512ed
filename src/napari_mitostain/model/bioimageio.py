"""bioimage.io packages: a model that other programs run without this one, and that this one takes back.

The format is version 0.5 of the model description, https://github.com/bioimage-io/spec-bioimage-io.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from napari_mitostain.errors import FileError, ModelError, clause
from napari_mitostain.image.files import atomic_write, read_stack, require_place
from napari_mitostain.model.card import Card
from napari_mitostain.model.library import MODEL_OF_RUN, find_weights
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.whole_network import whole_network

_FORMAT = "0.5.3"
"""Old enough for programs that are not of today."""

_OURS = MODEL_OF_RUN, str(Path(MODEL_OF_RUN).with_suffix(".json"))
"""Weights and card, which we read again: what is in the network would have to be unpickled."""

_LICENCES = ("GPL-3.0", "BSD-3-Clause", "MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0")
"""Identifiers of SPDX; the format has a place for no other text."""

_CITED = [
    {
        "text": "A. Somani et al., Digital staining of mitochondria in label-free live-cell microscopy, "
        "Bildverarbeitung für die Medizin 2021",
        "doi": "10.1007/978-3-658-33198-6",
    }
]
_EXAMPLE, _SIDE = Path(__file__).parents[1] / "samples" / "pair_brightfield.ome.tif", 256


def export_package(name: str | Path, path: Path, overwrite: bool = False) -> None:
    """Write a model as a bioimage.io package.

    Beside the network in TorchScript, which takes brightfield as it is (see `whole_network`), an example that it has to
    reproduce, and a text about it, the package holds weights and card, which `unpacked` finds.

    Parameters
    ----------
    name : str or Path
        See `find_weights`.
    path : Path
        Ends in ``.zip``.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ModelError
        If there is no such model.
    FileError
        If the name is taken or ends otherwise, or the file cannot be written.
    """
    weights = find_weights(name)
    if path.suffix != ".zip":
        raise FileError(f"Expected a name ending in .zip, got {path.name}; choose such a name.")
    require_place(path, overwrite)
    model = load_model(weights)
    network = whole_network(model)
    brightfield = read_stack(_EXAMPLE).read(())[:_SIDE, :_SIDE].astype(np.float32)[None, None]
    with torch.inference_mode():
        stain = network(torch.from_numpy(brightfield)).numpy()
    files = {
        "network.pt": network.save_to_buffer(),
        "brightfield.npy": _npy(brightfield),
        "stain.npy": _npy(stain),
        "README.md": _text(model.card).encode(),
        _OURS[0]: weights.read_bytes(),
        _OURS[1]: model.card.to_json().encode(),
    }
    description = yaml.safe_dump(_description(model, files), sort_keys=False, allow_unicode=True)
    atomic_write(path, _zipped({"rdf.yaml": description.encode()} | files))


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack the model of a package that `export_package` wrote, for the time of a block.

    Yields
    ------
    Path
        The weights, with the card beside them.

    Raises
    ------
    ModelError
        If it is no package, or another program's.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(path) as package:
                for each in _OURS:
                    (folder / each).write_bytes(package.read(each))
        except (OSError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ModelError(
                f"Expected a package that mitostain has exported, with {' and '.join(_OURS)} in it, got {path} "
                f"({clause(error)}); export it again, or import a .safetensors file."
            ) from error
        yield folder / _OURS[0]


def _description(model: Model, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the format asks to know."""
    card = model.card
    licence = next((known for known in _LICENCES if card.licence.startswith(known)), None)
    return {
        "type": "model",
        "format_version": _FORMAT,
        "name": f"Mitochondria from brightfield ({re.sub(r'[^A-Za-z0-9_+() -]', '_', card.name)[:64]})",
        "description": f"{card.summary} {card.limits}".strip()[:512],
        "authors": [{"name": "napari-mitostain"}],
        "cite": _CITED,
        **({"license": licence} if licence else {}),
        "tags": ["mitochondria", "brightfield", "fluorescence-light-microscopy", "2d", "unet", "pytorch"],
        "documentation": "README.md",
        "attachments": [_file(name, files) for name in _OURS],
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


def _text(card: Card) -> str:
    """Return what a user of another program has to know."""
    return f"""# {card.name}

Takes brightfield as the camera gives it: contrast, background and padding are the network's own work. They are those of
the whole plane, so give it planes in one piece where memory allows.

```
{card.to_text()}
```

## Validation

Stain planes whose fluorescence you have, and compare: `mitostain evaluate PREDICTED TARGET --brightfield B` scores them
beside trivial baselines.
"""


def _npy(values: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return file.getvalue()
