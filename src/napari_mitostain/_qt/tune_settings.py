"""The settings of a run that few users need: folded away in the form, an editor of one `TrainSettings`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_mitostain._qt.device_field import DeviceField
from napari_mitostain._qt.number_fields import RateBox, SideBox
from napari_mitostain._qt.rows import QuietForm, labelled
from napari_mitostain._qt.weights_field import WeightsField
from napari_mitostain.config import TrainSettings

_LOSSES = {"tn": "TN-weighted", "l1": "plain L1"}
_DISCRIMINATORS = {"unet": "U-Net", "patchgan": "PatchGAN", "none": "none"}
_DISCRIMINATOR_LOSSES = {"mse": "MSE", "focal": "focal", "jaccard": "Jaccard", "dice-bce": "Dice + BCE"}
_NONE_HELD = "none"
_TIPS = {
    "batch size": "Patches that the networks see in one step.",
    "patch": "Side of the patches that are cut from the images.",
    "generator loss": "What the generator minimises beside the discriminator's judgement.",
    "TN weights": "Coefficients of the TN loss, as the widget TN weight map saves them.",
    "λ": "Factor of the (weighted) L1 term.",
    "correlation": "Factor of the correlation term, which asks for the right places and is blind to brightness; 0, as "
    "in the paper, leaves it out.",
    "discriminator": "The network that tells stain from fluorescence: a U-Net judges every pixel, a PatchGAN "
    "patches of 70×70 pixels.",
    "its loss": "Of the discriminator: the four of the paper.",
    "adversarial": "Factor of the adversarial term.",
    "hold out": "Acquisitions that choose the best model and are not trained on: names with commas between, or "
    "“none”. By default a part of them, chosen by the seed.",
    "pixel (µm)": "Side of a pixel in the images; only where they, or the layers, do not tell it.",
    "seed": "Runs of the same seed and settings are the same.",
    "device": "Where to train.",
    "learning rate": "Of the generator, at its highest.",
    "EMA": "Decay of the moving average of the generator's weights that is kept in their place.",
    "clip gradients": "Largest norm of a network's gradient.",
}


class TuneSettings(QuietForm):
    """Edits a `TrainSettings`; what has no field here stays as it was set.

    Attributes
    ----------
    valueChanged : Signal(TrainSettings)
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__()
        self._kept = settings
        self.batch, self.seed = QSpinBox(), QSpinBox()
        self.patch = SideBox(2**settings.depth)
        self.loss, self.discriminator, self.its_loss = map(_choice, (_LOSSES, _DISCRIMINATORS, _DISCRIMINATOR_LOSSES))
        self.weights = WeightsField()
        self.holdout = QLineEdit()
        self.device = DeviceField()
        self.lambda_l1, self.correlation, self.adversarial = (RateBox(1e-6, 1e6, "0") for _ in range(3))
        self.pixel = RateBox(1e-4, 1e3, "as they say")
        self.rate, self.ema, self.clip = RateBox(1e-9, 1.0), RateBox(0.5, 0.999999, "off"), RateBox(1e-6, 1e6, "off")
        self._lay_out()
        self.setValue(settings)
        self._connect()

    def value(self) -> TrainSettings:
        """Return what the fields say."""
        plays = self.discriminator.currentData() != "none"
        return replace(
            self._kept,
            batch_size=self.batch.value(),
            patch=self.patch.value(),
            generator_loss=self.loss.currentData(),
            weighting=self.weights.value(),
            weight_l1=self.lambda_l1.value(),
            weight_correlation=self.correlation.value(),
            discriminator=self.discriminator.currentData() if plays else self._kept.discriminator,
            discriminator_loss=self.its_loss.currentData() if plays else "none",
            weight_adversarial=self.adversarial.value(),
            holdout=_names(self.holdout.text()),
            seed=self.seed.value(),
            device=self.device.value,
            learning_rate=self.rate.value(),
            ema=self.ema.value(),
            clip_gradients=self.clip.value() or None,
            pixel_size_um=self.pixel.value() or None,
        )

    def setValue(self, settings: TrainSettings) -> None:  # noqa: N802
        """Show settings."""
        with self._silent():
            self._kept = settings
            self.patch.set_stride(2**settings.depth)
            for box, number in ((self.batch, settings.batch_size), (self.patch, settings.patch)):
                box.setValue(number)
            self.seed.setValue(settings.seed)
            _choose(self.loss, settings.generator_loss)
            self.weights.setValue(settings.weighting)
            is_none = settings.discriminator_loss == "none"
            _choose(self.discriminator, "none" if is_none else settings.discriminator)
            _choose(self.its_loss, "mse" if is_none else settings.discriminator_loss)
            self.lambda_l1.setValue(settings.weight_l1)
            self.correlation.setValue(settings.weight_correlation)
            self.adversarial.setValue(settings.weight_adversarial)
            held = settings.holdout
            self.holdout.setText("" if held is None else ", ".join(held) or _NONE_HELD)
            self.device.ask(settings.device)
            self.rate.setValue(settings.learning_rate)
            self.ema.setValue(settings.ema)
            self.clip.setValue(settings.clip_gradients or 0)
            self.pixel.setValue(settings.pixel_size_um or 0)
        self._adapt()
        self._tell()

    def _lay_out(self) -> None:
        self.batch.setRange(1, 1024)
        self.seed.setRange(0, 2**31 - 1)
        self.holdout.setPlaceholderText("automatic")
        rows: dict[str, QWidget] = {
            "batch size": self.batch,
            "patch": self.patch,
            "learning rate": self.rate,
            "generator loss": self.loss,
            "TN weights": self.weights,
            "λ": self.lambda_l1,
            "correlation": self.correlation,
            "discriminator": self.discriminator,
            "its loss": self.its_loss,
            "adversarial": self.adversarial,
            "hold out": self.holdout,
            "EMA": self.ema,
            "clip gradients": self.clip,
            "pixel (µm)": self.pixel,
            "seed": self.seed,
            "device": self.device.native,
        }
        self._rows = labelled(rows)
        for name, field in rows.items():
            for widget in (field, self._rows.labelForField(field)):
                if widget is not None:
                    widget.setToolTip(_TIPS[name])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._rows)

    def _connect(self) -> None:
        for box in (self.loss, self.discriminator, self.its_loss):
            box.currentIndexChanged.connect(self._tell)
        for field in (self.batch, self.patch, self.seed, self.rate, self.ema, self.clip, self.weights):
            field.valueChanged.connect(self._tell)
        for rate in (self.lambda_l1, self.correlation, self.adversarial, self.pixel):
            rate.valueChanged.connect(self._tell)
        self.holdout.editingFinished.connect(self._tell)
        self.device.changed.connect(self._tell)

    def _adapt(self) -> None:
        """Hide what does not apply: there may be no discriminator, and plain L1 has no weights."""
        plays = self.discriminator.currentData() != "none"
        for field in (self.its_loss, self.adversarial):
            self._rows.setRowVisible(field, plays)
        self._rows.setRowVisible(self.weights, self.loss.currentData() == "tn")

    def _tell(self, *_: Any) -> None:
        if not self._quiet:
            self._adapt()
            self.valueChanged.emit(self.value())


def _choice(titles: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for name, title in titles.items():
        box.addItem(title, name)
    return box


def _choose(box: QComboBox, name: str) -> None:
    box.setCurrentIndex(box.findData(name))


def _names(text: str) -> tuple[str, ...] | None:
    """Read acquisitions to hold out; None for whatever is chosen by the seed."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == (_NONE_HELD,) else names or None
