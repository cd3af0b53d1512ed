"""Staining: every job is an iterator of events.

Whoever drains it may stop at any event; closing the iterator cancels the job. No output has its name before it is
complete; what is finished of one that is not lies hidden beside it, for the next call.
"""

from napari_mitostain.staining.files import stain_file
from napari_mitostain.staining.folder import stain_folder
from napari_mitostain.staining.provenance import provenance
from napari_mitostain.staining.stack import stain, stain_stack

__all__ = ["provenance", "stain", "stain_file", "stain_folder", "stain_stack"]
