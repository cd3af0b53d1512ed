"""The field in which the user chooses where to compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox

from napari_mitostain._qt.rows import reset_kept
from napari_mitostain.config import Device

_TIP = "auto takes the quickest there is. What there is gets known, and listed, once a first stain has begun."


class DeviceField(ComboBox):
    """Offers "auto", "cpu", and what else is known to be there: torch would tell, but loads too slowly for a form."""

    def __init__(self) -> None:
        self._known: Sequence[Device] = ()
        self._asked: Device = "auto"
        super().__init__(choices=self._offered, tooltip=_TIP)

    def ask(self, device: Device) -> None:
        """Choose a device, on offer or not; a job refuses what is not there."""
        self._asked = device
        reset_kept(self)
        self.value = device

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the devices of this machine, best first; what was asked for and is not there gives way to "auto"."""
        self._known, self._asked = devices, "auto"
        reset_kept(self)

    def _offered(self, _: Any) -> list[tuple[str, Device]]:
        names: dict[Device, str] = {"auto": f"auto ({self._known[0]})" if self._known else "auto"}
        names |= {device: device for device in (*(self._known or ("cpu",)), self._asked) if device not in names}
        return [(name, device) for device, name in names.items()]
