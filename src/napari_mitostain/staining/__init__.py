"""Staining: every job is an iterator of events.

Whoever drains it may stop at any event; closing the iterator cancels the job and leaves no partial file behind.
"""

from napari_mitostain.staining.files import provenance, stain_file, stain_folder
from napari_mitostain.staining.stack import stain, stain_stack

__all__ = ["provenance", "stain", "stain_file", "stain_folder", "stain_stack"]
