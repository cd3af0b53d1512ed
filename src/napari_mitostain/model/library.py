"""Which models there are: those bundled with the package, the user's own, files anywhere, and their cards.

Loads no torch, so that menus and lists open at once; `model.loading` reads the weights.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from pathlib import Path

import platformdirs

from napari_mitostain.errors import FileError, ModelError
from napari_mitostain.model.card import Card

BUNDLED = Path(__file__).parent / "bundled"
DEFAULT_MODEL = "h9c2-omp25"
MODEL_OF_RUN = "model.safetensors"
"""Name of the weights in the folder of a training run."""

_PICKLES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin"}


def user_models() -> Path:
    """Return the folder of the user's own models, in the platform's place for data."""
    return Path(platformdirs.user_data_dir("napari-mitostain")) / "models"


def model_files() -> dict[str, Path]:
    """Map the name of every installed model to its weights; a user's model wins over a bundled one of its name."""
    folders = (BUNDLED, user_models())
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.safetensors"))}


def load_card(name: str | Path) -> Card:
    """Read the card of a model without its weights; see `find_weights`."""
    return _card_beside(find_weights(name))


def find_weights(name: str | Path) -> Path:
    """Return the weights' file of a model.

    Parameters
    ----------
    name : str or Path
        Name of a bundled or user's model, a ``.safetensors`` file, or the folder of a training run.

    Raises
    ------
    ModelError
        If there is no such model, or it would have to be unpickled.
    """
    path = Path(name)
    if path.suffix.lower() in _PICKLES:
        raise ModelError(
            f"Expected a .safetensors model, got {path.name}, which is never unpickled; convert it to safetensors."
        )
    if is_package(path):
        raise ModelError(f"Expected a model, got the package {path}; run mitostain models import {path} first.")
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ModelError(f"Expected a model file, got {path}, which does not exist; check the path.")
        return path
    files = model_files()
    if str(name) in files:
        return files[str(name)]
    if name != "" and (of_run := path / MODEL_OF_RUN).is_file():
        return of_run
    raise ModelError(
        f"Expected a model among {', '.join(files) or 'none installed'}, got {str(name)!r}; choose one of them, "
        "a .safetensors file or the folder of a run that is complete."
    )


def is_package(path: Path) -> bool:
    """Tell by its name whether a file is a bioimage.io package."""
    return path.suffix.lower() == ".zip"


def install_model(weights: Path, name: str) -> str:
    """Copy a model, its weights and its card, to the user's own; it is there as a whole or not at all.

    Parameters
    ----------
    weights : Path
        A ``.safetensors`` file with its card beside it, such as an epoch that a run has kept.
    name : str
        Under which it is to be chosen; where a model has that name already, a number is added.

    Returns
    -------
    str
        The name that it has got.

    Raises
    ------
    ModelError
        If it is no model.
    FileError
        If it cannot be copied; nothing is left of it then.
    """
    from napari_mitostain.image.files import atomic_write  # loads SciPy, which lists of models do without
    from napari_mitostain.image.files.failures import writing

    card, content = load_card(weights), read_weights(weights)
    folder = user_models()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = _reserved(folder, name)
        try:  # the weights last: a model is what has weights
            atomic_write(path.with_suffix(".json"), replace(card, name=path.stem).to_json().encode())
            atomic_write(path, content)
        except BaseException:
            path.with_suffix(".json").unlink(missing_ok=True)
            raise
    return path.stem


def export_model(name: str | Path, path: Path, overwrite: bool = False) -> None:
    """Copy a model, its weights and its card, to a place of the user's.

    Parameters
    ----------
    name : str or Path
        See `find_weights`.
    path : Path
        Of the weights, ends in ``.safetensors``; the card lies beside them as ``.json``.
    overwrite : bool
        Replace files that exist; never the model itself.

    Raises
    ------
    ModelError
        If there is no such model.
    FileError
        If the name is taken or ends otherwise, or the files cannot be written.
    """
    from napari_mitostain.image import require_apart  # loads SciPy, as above
    from napari_mitostain.image.files import atomic_write, require_place

    weights = find_weights(name)
    card = _card_beside(weights)
    if path.suffix != ".safetensors":
        another = " or --format bioimageio" if is_package(path) else ""
        raise FileError(f"Expected a name ending in .safetensors, got {path.name}; choose such a name{another}.")
    require_apart(weights, path)
    place, place_of_card = (require_place(each, overwrite) for each in (path, path.with_suffix(".json")))
    atomic_write(place_of_card, card.to_json().encode())
    atomic_write(place, read_weights(weights))


def remove_model(name: str) -> Path:
    """Delete a model of the user's own, its weights and its card.

    Returns
    -------
    Path
        Where the weights were.

    Raises
    ------
    ModelError
        If there is none of that name; a bundled one stays.
    FileError
        If it cannot be deleted.
    """
    from napari_mitostain.image.files.failures import writing  # loads SciPy, as above

    path = model_files().get(name)
    if path is None or path.parent != user_models():
        own = [name for name, path in model_files().items() if path.parent == user_models()]
        raise ModelError(f"Expected one of your own models ({', '.join(own) or 'none'}), got {name!r}; choose one.")
    with writing(path):
        path.unlink()  # first: what has no weights is no model
        path.with_suffix(".json").unlink(missing_ok=True)
    return path


def read_weights(weights: Path) -> bytes:
    """Return a file of weights as it is.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        return weights.read_bytes()
    except OSError as error:
        raise ModelError(f"Expected weights to read in {weights}, got {error.strerror}; check the file.") from error


def _reserved(folder: Path, name: str) -> Path:
    """Return the path of weights under a free name like the one wanted; an empty card keeps it from all others."""
    clean = re.sub(r"[^\w +()-]", "_", name).strip(" _") or "model"
    taken = {stem.casefold() for stem in model_files()}
    names = (clean if number == 1 else f"{clean} {number}" for number in count(1))
    free = (folder / f"{name}.safetensors" for name in names if name.casefold() not in taken)
    return next(path for path in free if _reserve(path.with_suffix(".json")))


def _reserve(card: Path) -> bool:
    try:
        card.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _card_beside(path: Path) -> Card:
    card = path.with_suffix(".json")
    if not card.is_file():
        raise ModelError(f"Expected the card {card.name} beside {path}, got none; copy both files.")
    try:
        text = card.read_bytes()
    except OSError as error:
        raise ModelError(f"Expected a card to read in {card}, got {error.strerror}; check the file.") from error
    return Card.from_json(text, str(card))
