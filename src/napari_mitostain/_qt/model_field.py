"""The field in which the user chooses a model: an installed one, or a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_mitostain._qt.rows import narrowed, reset_kept
from napari_mitostain.errors import ModelError

_TOUCHES = {QEvent.Type.Enter, QEvent.Type.FocusIn, QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress}
"""What comes before a choice: another widget or the command line may have installed a model meanwhile."""


class ModelField(QWidget):
    """Edits the name of a model, or the path of its ``.safetensors`` file; files stay on offer while it lives.

    Models that are installed while it is open are on offer when the user turns to it.

    Attributes
    ----------
    valueChanged : Signal(str)
    """

    valueChanged = Signal(str)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, str] = {}  # from path to the name on the card
        self._models = ComboBox(choices=self._choices, tooltip="Its card is shown below.")
        self._button = QPushButton("…")
        self._button.setFixedWidth(self._models.native.sizeHint().height())
        self._button.setToolTip(
            "Choose a model from a file, such as model.safetensors in the folder of a training run."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(narrowed(self._models.native), stretch=1)
        layout.addWidget(self._button)
        self._models.native.installEventFilter(self)
        self._models.changed.connect(self._tell)
        self._button.clicked.connect(self._open)

    def value(self) -> str:
        """Return the name or the path of the chosen model, "" if there is none."""
        return self._models.value or ""

    def setValue(self, model: str) -> None:  # noqa: N802
        """Choose a model; one that is not on offer, such as a file, is put there first.

        Raises
        ------
        ModelError
            If there is no such model, or no card of it to read.
        """
        self.reset_choices()
        if model and model not in self._models.choices:
            self._add(model)
        self._models.value = model or None

    def reset_choices(self) -> None:
        """Offer the models that are installed now."""
        reset_kept(self._models)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Renew the choices before the user makes one, if there are others."""
        if event is not None and event.type() in _TOUCHES:
            offered = {value for _, value in self._choices(None)}
            if offered != set(self._models.choices):
                self.reset_choices()
        return bool(super().eventFilter(watched, event))

    def _add(self, path: str) -> None:
        from napari_mitostain.model.library import load_card

        self._files[path] = load_card(path).name or Path(path).stem
        self.reset_choices()

    def _choices(self, _: Any) -> list[tuple[str, str | None]]:
        from napari_mitostain.model.library import model_files

        names = {name: name for name in model_files()}
        for path, name in self._files.items():  # two models of one name would be one entry
            names[name if name not in names else f"{name} ({path})"] = path
        return list(names.items()) or [("no model is installed", None)]

    def _open(self) -> None:
        folder = str(Path(self.value()).parent) if self.value() in self._files else ""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", folder, "Models (*.safetensors)")
        if path:
            try:
                self.setValue(path)
            except ModelError as error:
                show_error(str(error))

    def _tell(self, *_: Any) -> None:
        self.valueChanged.emit(self.value())
