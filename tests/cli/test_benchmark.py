"""`mitostain benchmark`: ratios, whatever the machine."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # MONAI's, as it is imported

RATIOS = (
    "end_to_end_over_bare_network",
    "end_to_end_over_monai",
    "weights_over_numpy_select",
    "weights_over_python_loop",
    "weights_over_copy",
    "training_throughput_over_bare_step",
    "training_throughput_over_pix2pix_loop",
)


def test_ratios_are_there_and_are_those_of_the_seconds(mitostain: Any) -> None:
    result = mitostain("benchmark", "--size", 128, "--repeats", 1, "--json").json
    assert (result["size"], result["repeats"]) == (128, 1)
    for ratio in RATIOS:
        assert math.isfinite(result[ratio])
        assert result[ratio] > 0
    # of one round, the median is the round itself
    assert math.isclose(
        result["end_to_end_over_bare_network"], result["end_to_end_seconds"] / result["bare_network_seconds"]
    )
    assert math.isclose(result["weights_over_numpy_select"], result["weights_seconds"] / result["numpy_select_seconds"])


def test_table_without_json(mitostain: Any) -> None:
    done = mitostain("benchmark", "--size", 64, "--repeats", 1, "--precision", "float32")
    assert done.status == 0
    names = [line.split()[0] for line in done.out.splitlines()]
    assert {*RATIOS, "device", "dtype", "threads"} <= set(names)
