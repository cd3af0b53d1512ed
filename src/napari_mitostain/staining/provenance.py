"""Where a stain comes from: written into every output and every layer."""

from __future__ import annotations

from collections.abc import Mapping

from napari_mitostain.config import StainSettings
from napari_mitostain.image.files import Provenance, this_software
from napari_mitostain.model.device import choose_device, choose_stain_dtype
from napari_mitostain.model.loading import Model

CHANNEL_NAME = "Mitochondria (digitally predicted)"


def computed_here(settings: StainSettings) -> dict[str, str]:
    """Return the device and the precision that "auto" stands for on this machine.

    Raises
    ------
    DeviceError
        If the device that was asked for is not there.
    """
    device = choose_device(settings.device)
    precision = str(choose_stain_dtype(settings.precision, device)).removeprefix("torch.")
    return {"device": device.type, "precision": precision}


def provenance(
    model: Model, settings: StainSettings, source: str, channel: int, computed: Mapping[str, str] | None = None
) -> Provenance:
    """Describe where a stain comes from; written into every output and every layer.

    "settings" are what was asked for, "computed" says where and how "auto" was decided, by default on this machine.

    Raises
    ------
    DeviceError
        If the device that was asked for is not there.
    """
    return Provenance(
        software=this_software(),
        channel_name=CHANNEL_NAME,
        description=f"Mitochondria predicted from brightfield by model {model.card.name}. {model.card.limits}",
        details={
            "digitally_predicted": True,
            "model": model.card.name,
            "model_sha256": model.sha256,
            "model_scaling": model.card.scaling.to_dict(),
            "model_pixel_size_um": model.card.pixel_size_um,
            "settings": settings.to_dict(),
            "computed": dict(computed_here(settings) if computed is None else computed),
            "source": source,
            "channel": channel,
        },
    )
