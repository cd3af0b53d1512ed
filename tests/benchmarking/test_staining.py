"""The contestants of the staining benchmark compute the same; how fast they are is not a test's matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_mitostain.benchmarking import growth, staining
from napari_mitostain.benchmarking.opponents import bandwidth, bare_network, monai_window, plain_network, seam_errors
from napari_mitostain.config import StainSettings
from napari_mitostain.model.loading import Model
from napari_mitostain.model.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # MONAI's, as it is imported


def scaled(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.fixture
def network(tiny_model: Model) -> torch.nn.Module:
    return plain_network(tiny_model, torch.device("cpu"), torch.float32)


def test_bare_network_is_ours_on_the_plane_with_what_a_stride_lacks(
    tiny_model: Model, network: torch.nn.Module
) -> None:
    plane = scaled(30, 41)
    stain = bare_network(network, plane, tiny_model.geometry.stride)()  # type: ignore[arg-type]
    whole = np.pad(plane, ((0, 2), (0, 3)), mode="reflect")
    expected = Predictor(tiny_model, StainSettings("cpu", "float32"))(whole)
    np.testing.assert_allclose(stain[0, 0].numpy(), expected, atol=1e-4)  # type: ignore[index]


def test_monai_stains_the_same_plane(tiny_model: Model, network: torch.nn.Module) -> None:
    pytest.importorskip("monai")
    plane = scaled(256, 256)  # one window
    monai = monai_window(network, plane)  # type: ignore[arg-type]
    assert monai is not None
    expected = Predictor(tiny_model, StainSettings("cpu", "float32"))(plane)
    np.testing.assert_allclose(monai()[0, 0].numpy(), expected, atol=1e-4)


def test_seam_errors_of_tiles_are_rounding_and_those_of_windows_are_not(tiny_model: Model) -> None:
    pytest.importorskip("monai")
    errors = seam_errors(tiny_model, scaled(400, 300))
    assert errors["seam_error"] <= 1e-4
    assert errors["monai_seam_error"] > errors["seam_error"]


def test_memory_moves_bytes() -> None:
    assert bandwidth(1) > 0


def test_sizes_double_and_planes_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    stained: list[tuple[int, int]] = []

    def note(_model: Model, _settings: StainSettings, planes: int, side: int) -> float:
        stained.append((planes, side))
        return 0.5

    monkeypatch.setattr(growth, "_stained", note)
    result = growth.benchmark_growth(1500)
    assert stained == [(1, 256), (1, 256), (10, 256), (1, 512), (1, 1024)]  # the first without a clock
    assert result["stain_10x256x256_megapixels_a_second"] == pytest.approx(10 * 0.256**2 / 0.5)
    stained.clear()
    growth.benchmark_growth(64, full=True)
    assert {(500, 256), (1, 16384)} <= set(stained)


@pytest.mark.parametrize(
    ("name", "planes"), [*((way, 1) for way in staining.WAYS), *((way, 3) for way in staining.STACKS)]
)
def test_every_round_stains(tiny_model: Model, monkeypatch: pytest.MonkeyPatch, name: str, planes: int) -> None:
    ran = list[int]()
    network = Predictor.stained

    def counted(predictor: Predictor, *arguments: Any) -> Any:
        ran.append(1)
        return network(predictor, *arguments)

    monkeypatch.setattr(Predictor, "stained", counted)
    stack = np.random.default_rng(0).integers(0, 255, (3, 48, 40), dtype=np.uint8)
    with staining._files(stack, tiny_model) as folder:
        contestant = staining._end_to_end(folder, stack, tiny_model, StainSettings("cpu"))[name]
        for rounds in (1, 2, 3):
            contestant()
            assert len(ran) == rounds * planes


def test_a_stack_counts_for_each_of_its_planes() -> None:
    times = dict.fromkeys((*staining.WAYS, *staining.STACKS), 8.0) | {"bare_network": 1.0}
    found = staining._ratios([times], 100, 5, 1e9)
    assert [found[f"{way}_throughput_over_bare_network"] for way in staining.WAYS] == [1 / 8] * 3
    assert [found[f"{way}_throughput_over_bare_network"] for way in staining.STACKS] == [5 / 8] * 2


@pytest.mark.parametrize(
    ("side", "device", "planes"),
    [(64, "cpu", 100), (512, "cpu", 32), (1024, "cpu", 8), (8192, "cpu", 2), (64, "meta", 100), (8192, "meta", 16)],
)
def test_a_stack_is_no_longer_than_a_processor_has_time_for(side: int, device: str, planes: int) -> None:
    plane = np.broadcast_to(np.uint8(0), (side, side))
    assert staining._stack(plane, torch.device(device)).shape == (planes, side, side)
