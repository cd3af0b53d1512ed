"""Write layers that have no file into a run's folder, so that the run can be resumed after a restart."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

from napari_mitostain.events import Event, Measured
from napari_mitostain.image import Stack
from napari_mitostain.image.files import Provenance, open_copy, this_software
from napari_mitostain.training.spec import PARTS, PairsSpec

_LONGEST = 80
"""Characters of a layer's name that its file keeps."""


def store_pairs(
    brightfield: Stack, fluorescence: Stack, channels: tuple[int | None, int | None], folder: Path
) -> Generator[Event, None, PairsSpec]:
    """Copy the chosen channel of two stacks, plane by plane, to ``brightfield/`` and ``mitochondria/`` of a folder.

    Parameters
    ----------
    brightfield, fluorescence : Stack
    channels : tuple of int, optional
        Of brightfield and fluorescence; by default the first.
    folder : Path
        Such as ``RUN/pairs``; the files appear in it when they are complete.

    Yields
    ------
    Measured
        After each plane; a place to stop at.

    Returns
    -------
    PairsSpec

    Raises
    ------
    FileError
        If the folder cannot be written, or the disk is full.
    """
    parts = dict(
        zip(PARTS, zip((brightfield, fluorescence), (channel or 0 for channel in channels), strict=True), strict=True)
    )
    name = f"{_file_name(brightfield.name)}.ome.tif"
    total = sum(len(stack.planes(channel)) for stack, channel in parts.values())
    done = 0
    for part, (stack, channel) in parts.items():
        with open_copy(folder / part / name, stack, _provenance(part, stack, channel)) as writer:
            for index in stack.planes(channel):
                writer.write(stack.stained_index(index), stack.read(index))
                done += 1
                yield Measured(done=done, total=total)
    return PairsSpec(folder / PARTS[0] / name, folder / PARTS[1] / name)


def _provenance(part: str, stack: Stack, channel: int) -> Provenance:
    return Provenance(
        software=this_software(),
        channel_name=part,
        description=f"Copy of {stack.name}, which a training run learns from.",
        details={"source": stack.name, "channel": channel},
    )


def _file_name(name: str) -> str:
    """Return a layer's name as one that every file system takes."""
    plain = re.sub(r"[^\w .+-]+", "_", name).strip(" .")
    return plain[:_LONGEST] or "pair"
