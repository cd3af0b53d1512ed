"""The memory for stained tiles, in napari's Preferences."""

from __future__ import annotations

import napari.settings
import pytest
from npe2 import PluginManifest

from napari_mitostain._qt.live_settings import DEFAULT_GB, cache_bytes


def test_bound_is_that_of_the_preferences(viewer):
    if not hasattr(napari.settings, "get_plugin_settings"):
        pytest.skip("Preferences of plugins came with napari 0.9")
    settings = napari.settings.get_plugin_settings("napari-mitostain")
    assert cache_bytes() == DEFAULT_GB * 2**30
    settings.live_stain.memory_gb = 0.25
    try:
        assert cache_bytes() == 2**28
    finally:
        settings.live_stain.memory_gb = DEFAULT_GB


def test_default_is_that_of_the_manifest():
    found = PluginManifest.from_distribution("napari-mitostain").contributions.configurations
    assert found["live_stain"].properties["memory_gb"].default == DEFAULT_GB


def test_older_napari_has_the_default(monkeypatch):
    monkeypatch.delattr(napari.settings, "get_plugin_settings", raising=False)
    assert cache_bytes() == DEFAULT_GB * 2**30
