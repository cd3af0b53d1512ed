"""bioimage.io packages: a model that other programs run without this one, and that this one takes back.

The format is version 0.5 of the model description, https://github.com/bioimage-io/spec-bioimage-io.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from napari_mitostain.errors import FileError, ModelError, clause
from napari_mitostain.image.files import atomic_write, read_stack, require_place
from napari_mitostain.image.files.text import storable
from napari_mitostain.model.bioimageio_description import OURS, description, readme
from napari_mitostain.model.library import find_weights, is_package, read_weights
from napari_mitostain.model.loading import load_model
from napari_mitostain.model.whole_network import whole_network

_DAMAGED = zipfile.BadZipFile, zlib.error, lzma.LZMAError

_LARGEST = 2**30
"""Bytes of a file in a package; weights take a hundredth of it."""

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
    if not is_package(path):
        raise FileError(f"Expected a name ending in .zip, got {path.name}; choose such a name.")
    path = require_place(path, overwrite)
    model = load_model(weights)
    network, brightfield = whole_network(model), _example(max(_SIDE, model.geometry.stride))
    with torch.inference_mode():
        stain = network(torch.from_numpy(brightfield)).numpy()
    files = {
        "network.pt": _without_places(network.save_to_buffer()),
        "brightfield.npy": _npy(brightfield),
        "stain.npy": _npy(stain),
        "README.md": storable(readme(model.card)).encode(),
        OURS[0]: read_weights(weights),
        OURS[1]: model.card.to_json().encode(),
    }
    described = yaml.safe_dump(description(model, files), sort_keys=False, allow_unicode=True)
    atomic_write(path, _zipped({"rdf.yaml": storable(described).encode()} | files, zipfile.ZIP_DEFLATED))


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
    if not path.is_file():
        raise ModelError(f"Expected a package, got {path}, which does not exist; check the path.")
    with TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as package:
                for each in OURS:
                    if package.getinfo(each).file_size > _LARGEST:
                        raise ValueError(f"{each} of more than {_LARGEST >> 20} MB")
                    Path(folder, each).write_bytes(package.read(each))
        except (OSError, KeyError, ValueError, RuntimeError, EOFError, *_DAMAGED) as error:
            raise ModelError(
                f"Expected a package that mitostain has exported, with {' and '.join(OURS)} in it, got {path} "
                f"({clause(error)}); export it again, or import a .safetensors file."
            ) from error
        try:
            yield Path(folder, OURS[0])
        except ModelError as error:  # about files that nobody else sees
            raise ModelError(str(error).replace(folder, str(path))) from error


def _example(side: int) -> NDArray[np.float32]:
    """Return brightfield (1, 1, side, side)."""
    plane = read_stack(_EXAMPLE).read(()).astype(np.float32)
    more = [(0, max(0, side - length)) for length in plane.shape]
    return np.pad(plane, more, mode="symmetric")[None, None, :side, :side]


def _npy(values: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _without_places(network: bytes) -> bytes:
    """Take out of TorchScript where on this machine its code lay, which tells who exported it."""
    with zipfile.ZipFile(io.BytesIO(network)) as content:
        names = [name for name in content.namelist() if not name.endswith(".debug_pkl")]
        return _zipped({name: content.read(name) for name in names}, zipfile.ZIP_STORED)


def _zipped(files: Mapping[str, bytes], compression: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return file.getvalue()
