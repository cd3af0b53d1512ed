"""`mitostain demo`: what is wrong is said before Qt is loaded."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

QT_PART = "napari_mitostain._qt.demo"


@pytest.fixture
def without_display(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_demo_without_a_display_is_one_sentence(mitostain: Any, without_display: pytest.MonkeyPatch) -> None:
    without_display.setitem(sys.modules, QT_PART, None)  # an attempt to import it is an ImportError
    assert "Expected a display" in mitostain("demo").sentence


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"])
def test_demo_on_a_display_gets_its_options(mitostain: Any, without_display: pytest.MonkeyPatch, name: str) -> None:
    given: list[Any] = []
    without_display.setenv(name, "there")
    without_display.setitem(sys.modules, QT_PART, SimpleNamespace(run_demo=lambda *options: given.extend(options)))
    assert mitostain("demo", "--screenshot", "a.png", "--output", "b.tif", "--overwrite").status == 0
    assert [str(option) for option in given] == ["a.png", "b.tif", "True"]
