"""Read OME-TIFF, ImageJ hyperstacks and plain TIFF, plane by plane."""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zarr
from tifffile import TiffFile, TiffPageSeries
from tifffile.zarr import ZarrTiffStore

from napari_mitostain.errors import FileError
from napari_mitostain.image.files.axes import known_axes
from napari_mitostain.image.files.failures import reading
from napari_mitostain.image.files.lazy import FileArray
from napari_mitostain.image.files.tiff_metadata import read_metadata
from napari_mitostain.image.plane import Stack
from napari_mitostain.image.units import LARGE

_IMAGE_DESCRIPTION = 270

_WHOLE_PAGES = 2
"""tifffile's chunk mode in which a page, and not a strip of it, is read at a time; a page that is itself too large for
memory is read by its strips or tiles."""


def read_tiff(path: Path) -> Stack:
    """Open the first series of a TIFF, at full resolution if it is a pyramid.

    Planes that were written one by one, each as an image of its own, are one stack.
    Axes of length 1 that OME-XML and ImageJ always list are left out, as tifffile does. The file is open only while
    something is read from it, so a folder of thousands can be held as stacks.

    Raises
    ------
    FileError
        If the file is no TIFF, is cut off, or lacks planes that its header lists.
    ImageError
        If it is no stack of grayscale planes.
    """
    with reading(path), _quiet(), _opened(path) as tif:
        series = _first_series(tif, path)
        _require_complete(tif, series, path)
        scale, channels = read_metadata(tif)
        axes, dropped = known_axes(series.axes, series.shape)
        is_large = math.prod(series.keyframe.shape) > LARGE
        store = series.aszarr(level=0, chunkmode=None if is_large else _WHOLE_PAGES)
        source = zarr.open_array(store, mode="r")
        others = len(tif.series) - 1
        files = sorted({page.parent.filehandle.path for page in series.pages if page is not None})
    data = FileArray(path, source, dropped, _Reopener(tif, store).opened)
    known = {axis: scale[axis] for axis in axes if axis in scale}
    return Stack(data, axes, known, path.name, channels, others, tuple(map(Path, files)) if len(files) > 1 else ())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile from logging what the block turns into an error, or can do without."""
    logger = logging.getLogger("tifffile")

    def drop(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


class _Reopener:
    """Opens a TIFF, and the files it refers to, for the time of one read."""

    def __init__(self, tif: TiffFile, store: ZarrTiffStore) -> None:
        self._tif, self._store, self._lock = tif, store, threading.Lock()

    @contextmanager
    def opened(self) -> Iterator[None]:
        with self._lock, _quiet():
            self._tif.filehandle.open()
            try:
                yield
            finally:
                self._store.close()
                self._tif.close()


def _opened(path: Path) -> TiffFile:
    """Open a TIFF; where tifffile's own notes would split a stack into its planes, without them."""
    with TiffFile(path) as tif:
        planes = {series.shape for series in tif.series} if tif.is_shaped and len(tif.series) > 1 else set()
    is_split = len(planes) == 1 and len(*planes) == len("YX")
    return TiffFile(path, is_shaped=False) if is_split else TiffFile(path)


def _first_series(tif: TiffFile, path: Path) -> TiffPageSeries:
    if not tif.series:
        raise FileError(f"Expected an image in {path}, got a TIFF without pages; check the file or copy it again.")
    return tif.series[0]


def _require_complete(tif: TiffFile, series: TiffPageSeries, path: Path) -> None:
    """Refuse a file that is cut off: tifffile would show fewer planes, or planes of zeros."""
    if _chain_is_cut(tif) or _description_is_cut(tif) or _pixels_are_cut(series):
        raise FileError(f"Expected a complete TIFF, got {path}, whose end is missing; copy or save it again.")
    if any(page is None for page in series.pages):
        raise FileError(
            f"Expected all planes that {path} lists, got a part of them; put the files it refers to beside it."
        )


def _chain_is_cut(tif: TiffFile) -> bool:
    """Tell whether the last page found points to a further one: in a whole file it points nowhere."""
    position, handle, layout = tif.pages.next_page_offset, tif.filehandle, tif.tiff
    if position is None or position + layout.offsetsize > handle.size:
        return True
    handle.seek(position)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    return bool(following)


def _description_is_cut(tif: TiffFile) -> bool:
    """Tell whether the first page's description, such as OME-XML, would end beyond the end of the file.

    Bio-Formats and tifffile write it last. tifffile goes on without it, and so without names of axes and scale.
    """
    handle, layout = tif.filehandle, tif.tiff
    entry = struct.Struct(layout.byteorder + "HH" + layout.offsetformat[-1] * 2)
    handle.seek(tif.pages.first.offset)
    (entries,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    for code, _, count, offset in entry.iter_unpack(handle.read(entries * entry.size)):
        if code == _IMAGE_DESCRIPTION and count > layout.offsetsize and offset + count > handle.size:
            return True
    return False


def _pixels_are_cut(series: TiffPageSeries) -> bool:
    """Tell whether pixels of the series would lie beyond the end of their file."""
    if series.dataoffset is not None:
        return series.dataoffset + series.nbytes > series.keyframe.parent.filehandle.size
    return any(
        offset + count > page.parent.filehandle.size
        for page in series.pages
        if page is not None
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    )
