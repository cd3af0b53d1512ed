"""The field in which the user chooses what a run starts from: a model, or nothing."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_mitostain._qt.model_field import ModelField


class StartField(QWidget):
    """Edits the name of a model, or the path of its file; "" is a generator that has learnt nothing yet.

    Attributes
    ----------
    valueChanged : Signal(str)
    """

    valueChanged = Signal(str)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelField()
        self.scratch = QCheckBox("from scratch")
        self.scratch.setToolTip(
            "Start with an untrained generator: needs many more pairs and hours instead of minutes."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.model)
        layout.addWidget(self.scratch)
        self.scratch.toggled.connect(self._adapt)
        self.model.valueChanged.connect(self._tell)
        self.reset_choices()

    def value(self) -> str:
        """Return the model, "" for none."""
        return "" if self.scratch.isChecked() else self.model.value()

    def setValue(self, model: str) -> None:  # noqa: N802
        """Choose a model, or none.

        Raises
        ------
        ModelError
            If there is no such model.
        """
        if model:
            self.model.setValue(model)
        self.scratch.setChecked(not model)

    def reset_choices(self, *_: Any) -> None:
        """Offer the models that are installed now; without any a run can only start from scratch."""
        self.model.reset_choices()
        if not self.model.value():
            self.scratch.setChecked(True)

    def _adapt(self, *_: Any) -> None:
        self.model.setEnabled(not self.scratch.isChecked())
        self._tell()

    def _tell(self, *_: Any) -> None:
        self.valueChanged.emit(self.value())
