"""Errors a user can act on: each message says what was expected, what came, and what to do.

Every class is also the builtin a Python caller would expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations


class MitostainError(Exception):
    """Base of every error that this package raises on purpose."""


def clause(error: Exception) -> str:
    """Return what an error says as a part of another's sentence: of our own errors, what was expected and what came."""
    text = " ".join(str(error).split())
    if isinstance(error, MitostainError):
        text = text.rpartition("; ")[0] or text
        text = text[:1].lower() + text[1:]
    return text.rstrip(".;") or type(error).__name__


class ImageError(MitostainError, ValueError):
    """The image itself cannot be used: its shape, axes, data type or content."""


class NoContrastError(ImageError):
    """Nothing can be seen in the image: each of its planes is constant."""


class FileError(MitostainError, OSError):
    """A file or folder cannot be read or written."""


class SettingsError(MitostainError, ValueError):
    """A setting is outside what the method allows."""


class ModelError(MitostainError, ValueError):
    """A model is unknown, damaged, or of a kind that is not supported."""


class DeviceError(MitostainError, RuntimeError):
    """The requested device is not there or ran out of memory."""


class SchedulerError(MitostainError, ConnectionError):
    """The scheduler of a cluster, or the package to talk to it, cannot be reached, or its workers fail."""


class TrainingError(MitostainError, RuntimeError):
    """A training run cannot start or go on."""
