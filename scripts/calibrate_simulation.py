"""Compare simulated mitochondria with real ones: shapes, places, haze, noise, spectrum.

    python scripts/calibrate_simulation.py FRAMES [--brightfield FOLDER] [--cells N] [--json FILE]

FRAMES is a TIFF (T, Y, X) of real fluorescence with pixels of 80 nm, such as the 34 frames of living H9c2 cells
(mCherry-OMP25) published with Sekh et al., Nat. Mach. Intell. 2021. FOLDER holds real brightfield images of 256x256
pixels. Nothing of them is kept. Simulated fields are measured in the same way, and both are printed as quartiles.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.morphology import skeletonize
from tifffile import imread

from napari_mitostain.config import SimulationSettings
from napari_mitostain.simulation import simulate_pair

PIXEL_UM = 0.08
BANDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0)
"""Edges of bands of spatial frequency, in 1/µm."""

_CROP = 256
_HOLES_UM = 3.0
"""The cell is where mitochondria are no further apart than twice this."""

Plane = NDArray[np.float64]
Measures = dict[str, list[float]]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--brightfield", type=Path)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = SimulationSettings(shape=(1024, 1024))
    pairs = [simulate_pair(settings, 1000 + seed) for seed in range(options.cells)]
    tables = {
        "mitochondria": (
            measured(imread(options.frames), of_mitochondria),
            measured((pair.mitochondria[0] for pair in pairs), of_mitochondria),
        )
    }
    if options.brightfield is not None:
        real = [np.asarray(Picture.open(path)) for path in sorted(options.brightfield.iterdir())]
        crops = [pair.brightfield[0][crop] for pair in pairs for crop in crops_with_mitochondria(pair.mitochondria[0])]
        tables["brightfield"] = measured(real, of_brightfield), measured(crops, of_brightfield)
    for name, (real_values, simulated) in tables.items():
        print_table(name, real_values, simulated)
    if options.json is not None:
        options.json.write_text(json.dumps(tables))


def measured(images: Iterable[NDArray[Any]], measure: Any) -> Measures:
    """Collect the measures of several images."""
    found: Measures = {}
    for image in images:
        for name, values in measure(image.astype(float)).items():
            found.setdefault(name, []).extend(np.atleast_1d(values).tolist())
    return found


def of_mitochondria(image: Plane) -> dict[str, Any]:
    """Segment mitochondria crudely, and measure them."""
    noise, dark = noise_level(image), np.percentile(image, 5)
    detail = ndimage.gaussian_filter(image, 1) - ndimage.gaussian_filter(image, 10)
    bright = np.percentile(image, 99) - dark
    mask = ndimage.binary_fill_holes(detail > max(3 * noise, 0.12 * bright))
    mask = ndimage.binary_opening(mask, iterations=1)
    objects = [each for each in regionprops(label(mask)) if each.area * PIXEL_UM**2 > 0.1]
    skeleton = skeletonize(mask)
    lengths = np.array([skeleton[each.slice][each.image].sum() * 1.1 * PIXEL_UM for each in objects])
    areas = np.array([each.area for each in objects]) * PIXEL_UM**2
    thick = 2 * ndimage.distance_transform_edt(mask)[skeleton] * PIXEL_UM
    near = ndimage.distance_transform_edt(~mask) * PIXEL_UM
    cell = ndimage.distance_transform_edt(near < _HOLES_UM) * PIXEL_UM > _HOLES_UM
    whole = ndimage.binary_fill_holes(cell)
    nucleus = np.unravel_index(np.argmax(near * whole), near.shape)
    radius = float((near * whole).max())
    rows, columns = np.nonzero(mask)
    away = np.hypot(rows - nucleus[0], columns - nucleus[1]) * PIXEL_UM - radius
    off, on = image[cell & ~mask & (near > 0.5)], image[mask]
    return {
        "width, µm": thick,
        "length, µm": lengths,
        "area of an object, µm²": areas,
        "objects in 100 µm² of cell": 100 * len(objects) / (cell.sum() * PIXEL_UM**2),
        "mitochondrial area of cell": mask[cell].mean(),
        "cell area in view, µm²": cell.sum() * PIXEL_UM**2,
        "radius within nucleus, µm": radius,
        "distance from nucleus, µm": away[(away > 0) & (away < 40)][::50],
        "haze / mitochondria": (np.median(off) - dark) / (np.median(on) - dark),
        "noise / mitochondria": noise / (np.median(on) - dark),
        "brightest 1 % / maximum": np.percentile(image, 99) / image.max(),
        **spectrum(image),
    }


def of_brightfield(image: Plane) -> dict[str, Any]:
    """Measure contrast, histogram and spectrum of a crop."""
    detail = image - ndimage.gaussian_filter(image, 20)
    smooth = ndimage.gaussian_filter(detail, 1)
    return {
        "median grey level": np.median(image),
        "contrast (std / median)": detail.std() / np.median(image),
        "darkest 1 % / median": np.percentile(image, 1) / np.median(image),
        "brightest 1 % / median": np.percentile(image, 99) / np.median(image),
        "skewness": (smooth**3).mean() / smooth.std() ** 3,
        "kurtosis": (smooth**4).mean() / smooth.var() ** 2,
        "noise / median": noise_level(image) / np.median(image),
        **spectrum(image),
    }


def crops_with_mitochondria(mitochondria: NDArray[Any]) -> list[tuple[slice, slice]]:
    """Cut a field into crops, and keep those of which a fifth is mitochondria, as the real pairs were chosen."""
    bright = mitochondria >= mitochondria.mean() + mitochondria.std()
    starts = range(0, len(mitochondria) - _CROP + 1, _CROP)
    places = [np.s_[row : row + _CROP, column : column + _CROP] for row in starts for column in starts]
    return [place for place in places if bright[place].mean() >= 0.2]


def noise_level(image: Plane) -> float:
    """Estimate the standard deviation of the noise (Immerkær, Comput. Vis. Image Underst. 64, 300-302, 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return float(np.median(np.abs(ndimage.convolve(image, kernel))) / 0.6745 / 6)


def spectrum(image: Plane) -> dict[str, float]:
    """Return the share of each band of spatial frequency in the variance, as a power of ten."""
    window = np.hanning(len(image))[:, None] * np.hanning(image.shape[1])
    power = np.abs(np.fft.rfft2((image - image.mean()) * window)) ** 2
    rows, columns = np.fft.fftfreq(len(image), PIXEL_UM), np.fft.rfftfreq(image.shape[1], PIXEL_UM)
    frequency = np.hypot(rows[:, None], columns)
    total = power[(frequency >= BANDS[0]) & (frequency < BANDS[-1])].sum()
    return {
        f"log10 power, {low:g}-{high:g} /µm": float(
            np.log10(power[(frequency >= low) & (frequency < high)].sum() / total)
        )
        for low, high in pairwise(BANDS)
    }


def print_table(name: str, real: Measures, simulated: Measures) -> None:
    """Print quartiles of both."""
    print(f"\n| {name} | real | simulated |\n|---|---|---|")
    for measure in real:
        print(f"| {measure} | {quartiles(real[measure])} | {quartiles(simulated[measure])} |")


def quartiles(values: list[float]) -> str:
    """Write median and quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    main()
