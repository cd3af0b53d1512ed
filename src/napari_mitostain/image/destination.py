"""Where a result must not go."""

from __future__ import annotations

from pathlib import Path

from napari_mitostain.errors import FileError


def require_apart(source: Path, output: Path) -> None:
    """Refuse an output that would replace its own source, even where existing files may be overwritten.

    Raises
    ------
    FileError
        If the output is the source, or a folder (OME-Zarr) that holds it or lies in it.
    """
    read, written = source.resolve(), output.resolve()
    if read == written or written in read.parents or read in written.parents:
        raise FileError(
            f"Expected an output apart from the input, got {output}, which would replace {source}; choose another name."
        )
