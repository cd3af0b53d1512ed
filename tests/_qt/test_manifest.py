"""What the manifest promises."""

from __future__ import annotations

import subprocess
import sys

from napari._app_model import get_app_model
from npe2 import PluginManifest


def test_every_command_can_be_imported():
    manifest = PluginManifest.from_distribution("napari-mitostain")
    manifest.validate_imports()
    assert {widget.display_name for widget in manifest.contributions.widgets} == {
        "Digital stain",
        "TN weight map",
        "Fine-tune",
    }
    assert {sample.display_name for sample in manifest.contributions.sample_data} == {
        "Brightfield stack (simulated)",
        "Brightfield + mitochondria pair (simulated)",
        "Brightfield + mitochondria stack (simulated)",
        "Brightfield + mitochondria through focus (simulated)",
        "Brightfield + mitochondria time-lapse (simulated)",
    }


def test_menus_hold_the_commands(viewer):
    menus = get_app_model().menus
    entries = {
        menu: {getattr(getattr(item, "command", None), "id", None) for item in menus.get_menu(menu)}
        for menu in ("napari/layers/filter", "napari/layers/visualize", "napari/plugins/napari-mitostain")
    }
    assert {f"napari-mitostain.{name}" for name in ("digital_stain", "tn_weight_map", "fine_tune")} <= entries[
        "napari/plugins/napari-mitostain"
    ]
    assert "napari-mitostain.digital_stain" in entries["napari/layers/filter"]
    assert "napari-mitostain.tn_weight_map" in entries["napari/layers/visualize"]


def test_menu_opens_and_hides_the_dock_widget(viewer, small_model):
    command = get_app_model().commands.execute_command
    command("napari-mitostain.digital_stain")
    (name,) = (name for name in viewer.window.dock_widgets if "Digital stain" in name)
    widget = viewer.window.dock_widgets[name]
    viewer.show()
    assert widget.isVisible()
    command("napari-mitostain.digital_stain")  # a second time hides it, and does not make another
    assert viewer.window.dock_widgets[name] is widget
    assert not widget.isVisible()


def test_modules_of_the_menus_load_without_torch():
    code = (
        "import sys; from napari_mitostain._qt import samples, stain_widget, tune_widget, weights_widget;"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"]
