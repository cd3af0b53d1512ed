"""Time staining end to end and by stages, against the bare network and MONAI's sliding window, in turn, in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

from napari_mitostain.benchmarking.opponents import bandwidth, bare_network, monai_window, plain_network, seam_errors
from napari_mitostain.benchmarking.rounds import Rounds, timed
from napari_mitostain.config import StainSettings
from napari_mitostain.image import load_array, scale_brightfield
from napari_mitostain.image.files import discard, open_writer, read_stack
from napari_mitostain.model.device import choose_device
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining import provenance, stain, stain_file
from napari_mitostain.tiling import pad, stitched

Contestants = dict[str, Callable[[], object]]

WAYS = ("in_memory", "tiff_to_tiff", "zarr_to_zarr")
STACKS = ("stack_in_memory", "stack_zarr_to_zarr")
STACK, _SHORTEST, _STACK_PIXELS = 100, 16, 2**23
"""Planes of the stack, which share what a file costs, as far as they have so many pixels; on a GPU 16 at least, on a
processor 2."""
STAGES = ("read", "scale", "network", "stitch", "write")


def benchmark_staining(
    shape: tuple[int, int] = (1024, 1024), repeats: int = 5, settings: StainSettings = StainSettings()
) -> dict[str, Any]:
    """Compare staining a plane with running its network alone.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the plane in pixels.
    repeats : int
        Rounds; in each, every contestant runs once.
    settings : StainSettings

    Returns
    -------
    dict
        Median seconds of "in_memory", "tiff_to_tiff" and "zarr_to_zarr" (read, scale, tile, predict, stitch, write), of
        each stage alone (reading and writing OME-Zarr), of "bare_network" (the plane as a whole, batch norms folded,
        channels last, in the same precision) and, with MONAI installed, "monai" (256-pixel windows, 25 % overlap,
        gaussian, the same network, without reading, scaling or writing), with OpenVINO, "in_memory_openvino", and of a
        stack of "planes" such planes, "stack_in_memory" and "stack_zarr_to_zarr"; the median over the rounds of the
        ratios of pixels a second, above 1 if staining is ahead; the seconds as a multiple of a copy of the stain
        through memory; and by how much tiles of 256 pixels, and MONAI's windows, differ from the whole plane in
        float32.
    """
    model = load_model()
    predictor = Predictor(model, settings)
    plane = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    scaled = scale_brightfield(plane, model.card.scaling)
    network = plain_network(model, predictor.device, predictor.dtype)
    stack = _stack(plane, predictor.device)
    with _files(stack, model) as folder:
        contestants = {
            **_end_to_end(folder, stack, model, settings),
            "bare_network": bare_network(network, scaled, model.geometry.stride),
            **_stages(folder, predictor, plane, scaled),
        }
        if (monai := monai_window(network, scaled)) is not None:
            contestants["monai"] = monai
        rounds = timed(contestants, repeats)
    return {
        "height": shape[0],
        "width": shape[1],
        "planes": len(stack),
        "repeats": repeats,
        "device": str(predictor.device),
        "dtype": str(predictor.dtype).removeprefix("torch."),
        **{f"{name}_seconds": median(times[name] for times in rounds) for name in rounds[0]},
        **_ratios(rounds, plane.size, len(stack), bandwidth()),
        **seam_errors(model, scaled),
    }


def _stack(plane: NDArray[np.uint8], device: torch.device) -> NDArray[np.uint8]:
    """Return a stack (Z, Y, X) of one plane again and again, as large as a device has time for."""
    planes = max(_SHORTEST if device.type != "cpu" else 2, min(STACK, _STACK_PIXELS // plane.size))
    return np.broadcast_to(plane, (planes, *plane.shape))


@contextmanager
def _files(stack: NDArray[np.uint8], model: Model) -> Iterator[Path]:
    """Make a folder with a plane of a stack as TIFF and as OME-Zarr, and the stack as OME-Zarr."""
    with tempfile.TemporaryDirectory() as name:
        folder, origin = Path(name), provenance(model, StainSettings("cpu"), "benchmark", 0)
        tifffile.imwrite(folder / "plane.tif", stack[0])
        for file, image in (("plane.zarr", load_array(stack[0])), ("stack.zarr", load_array(stack, "ZYX"))):
            with open_writer(folder / file, image, origin) as writer:
                for index in image.planes():
                    writer.write(index, image.read(index))
        yield folder


def _end_to_end(folder: Path, stack: NDArray[np.uint8], model: Model, settings: StainSettings) -> Contestants:
    def between_files(name: str) -> None:
        output = folder / f"stain of {name}"
        discard(output)  # or it would be proven to be there, and kept
        for _ in stain_file(folder / name, output, model, settings):
            pass

    contestants: Contestants = {
        "in_memory": lambda: stain(stack[0], model, settings),
        "tiff_to_tiff": lambda: between_files("plane.tif"),
        "zarr_to_zarr": lambda: between_files("plane.zarr"),
        "stack_in_memory": lambda: stain(stack, model, settings, "ZYX"),
        "stack_zarr_to_zarr": lambda: between_files("stack.zarr"),
    }
    is_processor = choose_device(settings.device).type == "cpu"
    if is_processor and settings.backend == "torch" and find_spec("openvino") is not None:
        by_openvino = replace(settings, backend="openvino")
        contestants["in_memory_openvino"] = lambda: stain(stack[0], model, by_openvino)
    return contestants


def _stages(folder: Path, predictor: Predictor, plane: NDArray[np.uint8], scaled: NDArray[np.float32]) -> Contestants:
    """Each stage on its own, from one OME-Zarr to another."""
    model = predictor.model
    plan = predictor.plan(plane.shape)
    padded = pad(scaled, plan.padding)
    origin = provenance(model, StainSettings("cpu"), "benchmark", 0)

    def write() -> None:
        with open_writer(folder / "stage.zarr", load_array(plane), origin, overwrite=True) as writer:
            writer.write((), scaled)

    return {
        "read": lambda: read_stack(folder / "plane.zarr").read(()),
        "scale": lambda: scale_brightfield(plane, model.card.scaling),
        "network": lambda: [predictor(padded[tile.window]) for tile in plan.tiles],
        "stitch": lambda: stitched(scaled, plan, np.copy),
        "write": write,
    }


def _ratios(rounds: Rounds, pixels: int, planes: int, bytes_a_second: float) -> dict[str, float]:
    """Return how staining does beside the bare network, MONAI and the memory; stacks by the plane."""
    opponents = [name for name in ("bare_network", "monai") if name in rounds[0]]
    counts = dict.fromkeys((*WAYS, "in_memory_openvino"), 1) | dict.fromkeys(STACKS, planes)
    result = {
        f"{way}_throughput_over_{name}": count * median(times[name] / times[way] for times in rounds)
        for name in opponents
        for way, count in counts.items()
        if way in rounds[0]
    }
    a_copy = 2 * pixels * np.dtype(np.float32).itemsize / bytes_a_second  # the stain is read and written
    result["in_memory_over_copy"] = median(times["in_memory"] for times in rounds) / a_copy
    return result | {"memory_gb_a_second": bytes_a_second / 1e9}
