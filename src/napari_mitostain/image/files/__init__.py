"""Image files: TIFF, OME-Zarr and PNG, read lazily and written plane by plane."""

from napari_mitostain.image.files.atomic import atomic_write, discard
from napari_mitostain.image.files.formats import SUFFIXES, is_image_folder
from napari_mitostain.image.files.read import further_parts, list_images, read_stack
from napari_mitostain.image.files.records import CompleteImage, Completion, Record, digest
from napari_mitostain.image.files.resumable import ResumableWriter, unfinished
from napari_mitostain.image.files.write import (
    open_complete,
    open_copy,
    open_resumable,
    open_writer,
    require_place,
    require_writable,
)
from napari_mitostain.image.files.writer import Provenance, StackWriter, this_software

__all__ = [
    "SUFFIXES",
    "CompleteImage",
    "Completion",
    "Provenance",
    "Record",
    "ResumableWriter",
    "StackWriter",
    "atomic_write",
    "digest",
    "discard",
    "further_parts",
    "is_image_folder",
    "list_images",
    "open_complete",
    "open_copy",
    "open_resumable",
    "open_writer",
    "read_stack",
    "require_place",
    "require_writable",
    "this_software",
    "unfinished",
]
