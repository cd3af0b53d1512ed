"""`mitostain benchmark`: ratios, whatever the machine."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # MONAI's, as it is imported

RATIOS = (
    *(
        f"{way}_throughput_over_{opponent}"
        for way in ("in_memory", "tiff_to_tiff", "zarr_to_zarr")
        for opponent in ("bare_network", "monai")
    ),
    "in_memory_over_copy",
    "weights_over_numpy_select",
    "weights_over_python_loop",
    "weights_over_copy",
    "training_throughput_over_bare_step",
    "training_throughput_over_pix2pix_loop",
)
STAGES = tuple(f"{stage}_seconds" for stage in ("read", "scale", "network", "stitch", "write"))


def test_ratios_are_there_and_are_those_of_the_seconds(mitostain: Any) -> None:
    result = mitostain("benchmark", "--size", "140x100", "--repeats", 1, "--json").json
    assert (result["height"], result["width"], result["repeats"]) == (140, 100, 1)
    for number in (*RATIOS, *STAGES, "stain_1x256x256_seconds", "stain_10x256x256_megapixels_a_second"):
        assert math.isfinite(result[number])
        assert result[number] > 0
    # of one round, the median is the round itself
    for opponent in ("bare_network", "monai"):
        ratio = result[f"{opponent}_seconds"] / result["zarr_to_zarr_seconds"]
        assert math.isclose(result[f"zarr_to_zarr_throughput_over_{opponent}"], ratio)
    assert math.isclose(result["weights_over_numpy_select"], result["weights_seconds"] / result["numpy_select_seconds"])
    assert result["seam_error"] <= 1e-4


def test_table_without_json(mitostain: Any) -> None:
    done = mitostain("benchmark", "--size", 64, "--repeats", 1, "--precision", "float32")
    assert done.status == 0
    names = [line.split()[0] for line in done.out.splitlines()]
    assert {*RATIOS, *STAGES, "device", "dtype", "threads", "torch_version"} <= set(names)
