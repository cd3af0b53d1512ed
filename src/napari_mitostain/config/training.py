"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_mitostain.config.base import (
    Settings,
    require_above_zero,
    require_at_least,
    require_choice,
    require_fraction,
    require_whole,
    require_whole_between,
)
from napari_mitostain.config.staining import Device, Precision, WeightSettings
from napari_mitostain.errors import SettingsError

GeneratorLoss = Literal["tn", "l1"]
DiscriminatorLoss = Literal["mse", "focal", "jaccard", "dice-bce", "none"]
Discriminator = Literal["unet", "patchgan"]
Schedule = Literal["cosine", "constant"]
Split = Literal["acquisition", "patch"]

_CHOICES = {
    "device": Device,
    "precision": Precision,
    "generator_loss": GeneratorLoss,
    "discriminator": Discriminator,
    "discriminator_loss": DiscriminatorLoss,
    "schedule": Schedule,
    "split": Split,
}


@dataclass(frozen=True, slots=True)
class TrainSettings(Settings):
    """One training run; the defaults are the paper's where it gives them (patch, crops, minimum area, losses).

    Attributes
    ----------
    epochs : int, optional
        Passes over the training patches; give this or `minutes`.
    minutes : float, optional
        Wall-clock budget; the learning rate is annealed over it.
    batch_size, patch : int
        Patches a step, and their side in pixels.
    crops_per_frame : int
        Random crops of a frame in an epoch; a frame of the patch's own size gives one.
    minimum_area : float
        Crops with a smaller fraction of pixels above the frame's mean + 1 standard deviation are dropped.
    turns, intensity : bool
        Augment patches by flips and quarter turns, and their brightfield by contrast and noise.
    warp : bool
        Augment patches by turns of any angle, zoom and stretch.
    learning_rate : float
        Of the generator, at its highest.
    schedule : {"cosine", "constant"}
        What becomes of the learning rate after the first steps, over which it rises.
    clip_gradients : float, optional
        Largest norm of a network's gradient; by default there is none.
    ema : float
        Decay of the moving average of the generator's weights that is scored and kept in their place; 0 keeps the
        weights themselves.
    match_brightness : bool
        Make the stains of the generator that is scored and kept as bright as the fluorescence; the TN loss alone leaves
        them too bright.
    generator_loss : {"tn", "l1"}
    weighting : WeightSettings
        Coefficients of the TN loss; its scope says over what a patch's weights take their statistics: the patch
        itself, its whole plane, or all planes of its acquisition.
    discriminator : {"unet", "patchgan"}
        Judges every pixel, or patches of 70×70 pixels.
    discriminator_loss : {"mse", "focal", "jaccard", "dice-bce", "none"}
    weight_adversarial : float
        Factor of the adversarial term; 0 trains without a discriminator, as "none" does.
    weight_l1 : float
        λ, the factor of the (weighted) L1 term beside the adversarial term.
    weight_correlation : float
        Factor of the correlation term: how far the stain of a patch is from correlating with its target, as a whole and
        in its detail. 0, as in the paper, leaves it out.
    split : {"acquisition", "patch"}
        What is left out for validation: whole acquisitions, or single pairs at random, each with all its patches, as in
        the paper; crops or times of one field then leak.
    holdout : tuple of str, optional
        Acquisitions left out for validation, by name or its end; none if empty, by default `validation_share` of them
        chosen by the seed. Pairs of a single acquisition are split into blocks of time, depth or space with a gap.
    validation_share, test_share : float
        Parts of the pairs that choose the best model, and that score it once in the end.
    base_channels, depth : int
        Width and number of halvings of the generator.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 4
    patch: int = 256
    crops_per_frame: int = 25
    minimum_area: float = 0.2
    turns: bool = True
    warp: bool = False
    intensity: bool = True
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    clip_gradients: float | None = None
    ema: float = 0.0
    match_brightness: bool = False
    generator_loss: GeneratorLoss = "tn"
    weighting: WeightSettings = WeightSettings(scope="patch")
    discriminator: Discriminator = "unet"
    discriminator_loss: DiscriminatorLoss = "mse"
    weight_adversarial: float = 1.0
    weight_l1: float = 100.0
    weight_correlation: float = 0.0
    split: Split = "acquisition"
    holdout: tuple[str, ...] | None = None
    validation_share: float = 0.2
    test_share: float = 0.0
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    base_channels: int = 16
    depth: int = 4
    pixel_size_um: float | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            require_choice(name, getattr(self, name), choices)
        if not isinstance(self.weighting, WeightSettings):
            raise SettingsError(f"Expected coefficients as weighting, got {self.weighting!r}; give WeightSettings.")
        for name in ("batch_size", "patch", "crops_per_frame", "base_channels", "depth"):
            require_whole(name, getattr(self, name), 1)
        require_whole_between("seed", self.seed, 0, 2**63 - 1)  # what torch takes
        for name in ("minimum_area", "ema", "validation_share", "test_share"):
            require_fraction(name, getattr(self, name))
        for name in ("weight_l1", "weight_adversarial", "weight_correlation"):
            require_at_least(name, getattr(self, name), 0)
        for name in ("learning_rate", "clip_gradients", "pixel_size_um", "minutes"):
            if getattr(self, name) is not None:
                require_above_zero(name, getattr(self, name))
        if self.epochs is not None:
            require_whole("epochs", self.epochs, 1)
        if isinstance(self.holdout, str):
            raise SettingsError(
                f"Expected a tuple of names as holdout, got {self.holdout!r}; write ({self.holdout!r},)."
            )
        self._require_fit()

    def _require_fit(self) -> None:
        """Check what settings ask of each other."""
        if (self.epochs is None) == (self.minutes is None):
            raise SettingsError("Expected either epochs or minutes, got both or neither; give one of them.")
        if self.ema == 1 or self.validation_share + self.test_share >= 1:
            raise SettingsError(
                f"Expected ema below 1 and something left to train on, got ema {self.ema} and shares of "
                f"{self.validation_share} and {self.test_share}; lower them."
            )
        if self.patch % 2**self.depth or self.patch == 2**self.depth:  # one cell has no variance to normalise by
            raise SettingsError(f"Expected a patch of several times {2**self.depth} pixels, got {self.patch}; try 256.")

    @property
    def plays(self) -> bool:
        """Whether there is a discriminator to play against."""
        return self.discriminator_loss != "none" and self.weight_adversarial > 0
