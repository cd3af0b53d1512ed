"""What the user has set for the live stain in napari's Preferences."""

from __future__ import annotations

_PLUGIN, _SECTION, _KEY = "napari-mitostain", "live_stain", "memory_gb"

DEFAULT_GB = 1.0
"""As the manifest has it; for versions of napari before 0.9, whose Preferences know no plugins."""


def cache_bytes() -> int:
    """Return how many bytes of stained tiles may be kept."""
    return int(_memory_gb() * 2**30)


def _memory_gb() -> float:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return DEFAULT_GB
    try:
        return float(getattr(getattr(get_plugin_settings(_PLUGIN), _SECTION), _KEY))
    except (KeyError, AttributeError):  # made before the plugin was installed into the running napari
        return DEFAULT_GB
