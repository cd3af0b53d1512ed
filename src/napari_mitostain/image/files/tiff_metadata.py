"""Scale and channel names of a TIFF, from OME-XML, from ImageJ, or from the resolution tags."""

from __future__ import annotations

from xml.etree import ElementTree

from tifffile import TiffFile, TiffPage

from napari_mitostain.image.files.units import for_printing, physical_scale

_RESOLUTION_UNITS = {2: "inch", 3: "cm"}


def read_metadata(tif: TiffFile) -> tuple[dict[str, float], tuple[str, ...]]:
    """Find the scale and the channel names of the first series.

    Returns
    -------
    scale : dict of str to float
        Micrometres for Z, Y, X and seconds for T, as far as the file tells.
    channels : tuple of str
    """
    kind = tif.series[0].kind
    if kind == "ome" and tif.ome_metadata:
        return _from_ome(tif.ome_metadata)
    if kind == "imagej":
        return _from_imagej(tif), ()
    return _from_resolution(tif), ()


def _from_ome(xml: str) -> tuple[dict[str, float], tuple[str, ...]]:
    root = ElementTree.fromstring(xml)  # noqa: S314  (expat since 2.4.1 limits entities itself)
    pixels = root.find("{*}Image/{*}Pixels")
    if pixels is None:
        return {}, ()
    spacings = {
        axis: (pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"
    } | {"T": (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))}
    names = [channel.get("Name") for channel in pixels.findall("{*}Channel")]
    return physical_scale(spacings), tuple(name for name in names if name) if all(names) else ()


def _from_imagej(tif: TiffFile) -> dict[str, float]:
    metadata = tif.imagej_metadata or {}
    unit = metadata.get("unit")
    spacings = {
        "X": (_spacing(tif, "XResolution"), unit),
        "Y": (_spacing(tif, "YResolution"), metadata.get("yunit", unit)),
        "Z": (metadata.get("spacing"), metadata.get("zunit", unit)),
        "T": (metadata.get("finterval"), metadata.get("tunit", "sec")),
    }
    scale = physical_scale({axis: (value, None if by is None else str(by)) for axis, (value, by) in spacings.items()})
    if for_printing(scale.get("X", 0), unit):  # ImageJ takes the printer's resolution over from a plain TIFF
        return {axis: value for axis, value in scale.items() if axis == "T"}
    return scale


def _from_resolution(tif: TiffFile) -> dict[str, float]:
    tag = _first_page(tif).tags.get("ResolutionUnit")
    unit = _RESOLUTION_UNITS.get(0 if tag is None else int(tag.value))
    scale = physical_scale({axis: (_spacing(tif, f"{axis}Resolution"), unit) for axis in "YX"})
    return {} if any(for_printing(value, unit) for value in scale.values()) else scale


def _spacing(tif: TiffFile, name: str) -> float | None:
    tag = _first_page(tif).tags.get(name)
    if tag is None:
        return None
    pixels, units = tag.value
    return units / pixels if pixels else None


def _first_page(tif: TiffFile) -> TiffPage:
    page = tif.pages.first
    assert isinstance(page, TiffPage)
    return page
