"""The form of the fine-tuning widget: an editor of one `TuneRequest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit, QVBoxLayout

from napari_mitostain._qt.length_field import LengthField
from napari_mitostain._qt.path_field import PathField
from napari_mitostain._qt.rows import QuietForm, folded, labelled
from napari_mitostain._qt.start_field import StartField
from napari_mitostain._qt.tune_check import CheckView
from napari_mitostain._qt.tune_pairs import PairsForm
from napari_mitostain._qt.tune_request import PairsChoice, TuneRequest
from napari_mitostain._qt.tune_settings import TuneSettings
from napari_mitostain.config import Device, TrainSettings
from napari_mitostain.training.presets import PRESETS

if TYPE_CHECKING:
    from napari.viewer import Viewer


_LONGEST = 50
"""Characters of a layer's or a folder's name that are taken up; the run's folder and model add to it, and file systems
take 255 bytes: 4 a character at worst."""


class TuneForm(QuietForm):
    """Edits a `TuneRequest`; the findings about the pairs stand below them.

    Parameters
    ----------
    viewer : Viewer

    Attributes
    ----------
    valueChanged : Signal(TuneRequest)
    pairsChanged : Signal()
        What the check looks at: also when a layer shows something else than before.
    """

    valueChanged = Signal(object)  # noqa: N815
    pairsChanged = Signal()  # noqa: N815

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._suggested = ""
        self.pairs = PairsForm(viewer)
        self.check = CheckView()
        self.start = StartField()
        self.preset = QComboBox()
        for preset in PRESETS.values():
            self.preset.addItem(preset.title, preset.name)
        self.about = QLabel()
        self.length = LengthField()
        self.name = QLineEdit()
        self.folder = PathField("Choose the folder that the run is kept in", "napari-mitostain's own")
        self.more = TuneSettings(self._preset_settings())
        self._lay_out()
        self.length.setValue(self._preset_settings())
        self._connect()
        self._take_preset()
        self._suggest()

    def value(self) -> TuneRequest:
        """Return what the form says."""
        return TuneRequest(
            pairs=self.pairs.value(),
            model=self.start.value(),
            preset=self.preset.currentData(),
            settings=self.length.in_settings(self.more.value()),
            name=self.name.text().strip(),
            folder=self.folder.value(),
        )

    def setValue(self, request: TuneRequest) -> None:  # noqa: N802
        """Show a request; layers and model must be there.

        Raises
        ------
        ModelError
            If there is no such model; nothing was changed then.
        """
        with self._silent():
            self.start.setValue(request.model)
            self.pairs.setValue(request.pairs)
            self.preset.setCurrentIndex(self.preset.findData(request.preset))
            self.more.setValue(request.settings)
            self.length.setValue(request.settings)
            self.name.setText(request.name)
            self.folder.setValue(request.folder)
        self._tell()
        self.pairsChanged.emit()

    def reset_choices(self) -> None:
        """Follow the viewer's layers, and the models."""
        self.pairs.reset_choices()
        self.start.reset_choices()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the devices of this machine, best first."""
        self.more.device.show_devices(devices)

    def _lay_out(self) -> None:
        self.about.setWordWrap(True)
        self.name.setToolTip("Of the run, and of the model that it makes.")
        self.folder.setToolTip("Where the run's folder is made; it holds all that a run needs to go on.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pairs)
        layout.addWidget(self.check)
        layout.addLayout(labelled({"start from": self.start, "preset": self.preset}))
        layout.addWidget(self.about)
        layout.addLayout(labelled({"length": self.length, "name": self.name, "kept in": self.folder}))
        layout.addWidget(folded("Advanced", self.more))

    def _connect(self) -> None:
        self.pairs.valueChanged.connect(self._follow_pairs)
        self.start.valueChanged.connect(self._follow_start)
        self.preset.currentIndexChanged.connect(self._take_preset)
        self.length.valueChanged.connect(self._tell)
        self.more.valueChanged.connect(self._tell)
        self.name.textChanged.connect(self._tell)
        self.folder.valueChanged.connect(self._tell)

    def _follow_pairs(self, *_: Any) -> None:
        self._suggest()
        self._tell()
        if not self._quiet:
            self.pairsChanged.emit()

    def _follow_start(self, *_: Any) -> None:
        """Tell of another model; whether the pairs are aligned is judged by its stain."""
        self._tell()
        if not self._quiet:
            self.pairsChanged.emit()

    def _suggest(self) -> None:
        """Name the run after its pairs, unless the user has."""
        if self.name.text() in ("", self._suggested):
            self._suggested = suggested_name(self.pairs.value())
            self.name.setText(self._suggested)

    def _take_preset(self, *_: Any) -> None:
        """Show the settings of the chosen preset."""
        self.about.setText(PRESETS[self.preset.currentData()].summary)
        if not self._quiet:
            settings = replace(self._preset_settings(), device=self.more.value().device)  # which is the machine's
            with self._silent():
                self.more.setValue(settings)
                self.length.setValue(settings)
            self._tell()

    def _preset_settings(self) -> TrainSettings:
        return PRESETS[self.preset.currentData()].settings

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self.valueChanged.emit(self.value())


def suggested_name(pairs: PairsChoice) -> str:
    """Return a name for a run on some pairs: that of the layer or the folder they come from."""
    if pairs.source == "layers":
        layer = pairs.brightfield.layer
        name = layer.name if layer is not None else ""
    else:
        folder = Path(pairs.folder if pairs.source == "folder" else pairs.brightfield_folder)
        name = folder.parent.name if folder.name == "brightfield" else folder.name
    return f"{name[:_LONGEST].strip()} tuned" if name else ""
