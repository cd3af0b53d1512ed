"""Simulate many pairs into a folder that ``mitostain train`` takes: settings in, events out."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from numpy.typing import NDArray
from tifffile import TiffWriter

from napari_mitostain.config import SimulationSettings, read_values, require_whole
from napari_mitostain.errors import FileError, MitostainError
from napari_mitostain.events import Event, Notice, PairDone
from napari_mitostain.image.files import atomic_write, require_writable, this_software
from napari_mitostain.simulation import SimulatedPair, simulate_pair

_SETTINGS = "simulation.json"
_KINDS = "brightfield", "mitochondria"


def simulate_folder(
    output: Path,
    cells: int,
    settings: SimulationSettings = SimulationSettings(),
    seed: int = 0,
    overwrite: bool = False,
) -> Iterator[Event]:
    """Write simulated pairs as OME-TIFF, of the same names in ``brightfield`` and ``mitochondria``.

    A name holds the seed of its pair, and a pair depends on settings and seed alone. So the same call completes a
    folder that was not completed, and one with more cells extends it: pairs that are there are kept.

    Parameters
    ----------
    output : Path
        Holds the settings too, as ``simulation.json``.
    cells : int
        Number of pairs; their seeds follow each other.
    settings : SimulationSettings
    seed : int
        Of the first pair.
    overwrite : bool
        Simulate pairs that are there anew.

    Yields
    ------
    Event
        `PairDone` for each pair, and a `Notice` if some are kept.

    Raises
    ------
    SettingsError
        If a number is out of range.
    FileError
        If the folder cannot be written, or was begun with other settings.
    """
    require_whole("number of cells", cells, 1)
    require_whole("seed", seed, 0)
    names = {number: f"simulated_{number:06d}.ome.tif" for number in range(seed, seed + cells)}
    require_writable(output / "brightfield" / names[seed], overwrite=True)
    require_writable(output / "mitochondria" / names[seed], overwrite=True)
    kept = [] if overwrite else [number for number, name in names.items() if _is_there(output, name)]
    _record(output, settings, names.values() if overwrite else ())
    if kept:
        yield Notice(message=f"{len(kept)} of {cells} pairs are in {output} and stay; --overwrite makes them anew.")
    for done, (number, name) in enumerate(names.items(), start=1):
        if number not in kept:
            _write(output, name, simulate_pair(settings, number), number)
        yield PairDone(name=name, kept=number in kept, done=done, total=cells)


def ome_tiff(image: NDArray[Any], name: str, channel: str, pair: SimulatedPair, description: str) -> bytes:
    """Encode an image of a pair as OME-TIFF of its own type, without loss; same image, same bytes.

    Axes of length 1 are left out. The writer of stains stores float32, uncompressed.
    """
    lengths = dict(zip("TZYX"[-image.ndim :], image.shape, strict=True))
    axes = "".join(axis for axis, length in lengths.items() if length > 1 or axis in "YX")
    metadata: dict[str, Any] = {
        "axes": axes,
        "UUID": str(uuid5(NAMESPACE_OID, f"napari-mitostain simulated {name}")),  # by default random
        "Name": name,
        "Creator": this_software(),
        "Description": f"{channel} of a simulated cell, not of a real one: {description}",
        "Channel": {"Name": [f"{channel} (simulated)"]},
    }
    spacings = {"Z": pair.plane_spacing_um, "Y": pair.pixel_size_um, "X": pair.pixel_size_um}
    for axis in axes.replace("T", ""):
        metadata |= {f"PhysicalSize{axis}": spacings[axis], f"PhysicalSize{axis}Unit": "µm"}
    if "T" in axes:
        metadata |= {"TimeIncrement": pair.settings.interval_s, "TimeIncrementUnit": "s"}
    file = io.BytesIO()
    with TiffWriter(file, ome=True, byteorder="<") as tif:
        planes = image.reshape([lengths[axis] for axis in axes])
        tif.write(planes, compression="zlib", predictor=True, photometric="minisblack", metadata=metadata)
    return file.getvalue()


def _is_there(output: Path, name: str) -> bool:
    return all((output / kind / name).exists() for kind in _KINDS)


def _record(output: Path, settings: SimulationSettings, replaced: Collection[str]) -> None:
    """Save the settings, or compare them with those that are saved: one folder, one distribution of pairs.

    With other settings all pairs that are there have to be replaced. They are removed before the settings change, so
    that whatever ends the job, none of another distribution stays.
    """
    file = output / _SETTINGS
    if file.exists() and not _holds(file, settings):
        there = {path.name for kind in _KINDS for path in (output / kind).glob("*.ome.tif")}
        if not replaced:
            raise FileError(
                f"Expected the settings that {output} was begun with ({_SETTINGS}), got others; "
                "choose another folder, or add --overwrite."
            )
        if others := sorted(there - set(replaced)):
            raise FileError(
                f"Expected to make anew all pairs of {output}, whose settings are others, got {len(others)} that would "
                f"stay ({others[0]}, …); choose another folder."
            )
        for kind, name in product(_KINDS, there):
            (output / kind / name).unlink(missing_ok=True)
    atomic_write(file, json.dumps(settings.to_dict(), indent=2).encode())


def _holds(file: Path, settings: SimulationSettings) -> bool:
    """Tell whether a file holds these settings; what it does not name has its default, as before there was a choice."""
    try:
        return SimulationSettings.from_dict(read_values(file, "settings", "correct them")) == settings
    except MitostainError:
        return False


def _write(output: Path, name: str, pair: SimulatedPair, seed: int) -> None:
    """Write both images, once both are computed; the settings drawn for the pair stand in the files."""
    description = f"seed {seed}\n{json.dumps(pair.settings.to_dict())}"
    images = {"brightfield": pair.brightfield, "mitochondria": pair.mitochondria}
    content = {kind: ome_tiff(image, name, kind.capitalize(), pair, description) for kind, image in images.items()}
    for kind, encoded in content.items():
        atomic_write(output / kind / name, encoded)
