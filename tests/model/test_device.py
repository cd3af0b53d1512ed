"""Which device and which precision are chosen, and what counts as a lack of memory."""

from __future__ import annotations

import pytest
import torch

from napari_mitostain.config import Device
from napari_mitostain.errors import DeviceError
from napari_mitostain.model.device import (
    available_devices,
    choose_device,
    choose_dtype,
    choose_stain_dtype,
    free_memory,
    helping_threads,
    is_out_of_memory,
)


def pretend(monkeypatch: pytest.MonkeyPatch, *there: Device) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)


@pytest.mark.parametrize(
    ("there", "best"), [((), "cpu"), (("cuda",), "cuda"), (("mps",), "mps"), (("mps", "cuda"), "cuda")]
)
def test_auto_takes_the_best_device_that_is_there(
    monkeypatch: pytest.MonkeyPatch, there: tuple[Device, ...], best: str
) -> None:
    pretend(monkeypatch, *there)
    assert choose_device("auto") == torch.device(best)
    assert set(available_devices()) == {*there, "cpu"}


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_device_that_is_not_there_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, wanted: Device) -> None:
    pretend(monkeypatch)
    with pytest.raises(DeviceError, match=rf"^Expected a device among cpu, got {wanted}; .*\.$"):
        choose_device(wanted)


def test_wanted_device_is_taken_even_if_there_is_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", "mps")
    assert choose_device("mps") == torch.device("mps")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_wanted_precision_is_taken_on_every_device(device: str) -> None:
    assert choose_dtype("float32", torch.device(device)) == torch.float32
    assert choose_dtype("bfloat16", torch.device(device)) == torch.bfloat16


@pytest.mark.parametrize(
    ("capability", "chosen"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_auto_takes_bfloat16_on_the_graphics_cards_that_multiply_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert choose_dtype("auto", torch.device("cuda")) == chosen


@pytest.mark.parametrize(
    ("capability", "chosen"), [((6, 1), torch.float32), ((7, 5), torch.float16), ((9, 0), torch.float16)]
)
def test_stains_are_of_float16_on_graphics_cards_that_multiply_it_and_training_never_is(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert choose_stain_dtype("auto", torch.device("cuda")) == chosen
    assert choose_dtype("auto", torch.device("cuda")) != torch.float16


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_precision_that_is_wanted_for_stains_is_taken_on_every_device(device: str) -> None:
    for precision in ("float32", "bfloat16", "float16"):
        assert choose_stain_dtype(precision, torch.device(device)) == getattr(torch, precision)  # type: ignore[arg-type]
    if device != "cuda":
        assert choose_stain_dtype("auto", torch.device(device)) == choose_dtype("auto", torch.device(device))


def test_threads_help_a_gpu_and_leave_a_processor_alone() -> None:
    assert helping_threads(torch.device("cpu"), 1) == 0
    assert helping_threads(torch.device("cuda"), 1) == min(8, torch.get_num_threads())
    assert helping_threads(torch.device("cuda"), 1e12) == 1  # what it holds is more than all should


@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True)])
def test_auto_takes_bfloat16_on_the_processors_that_multiply_it(
    monkeypatch: pytest.MonkeyPatch, avx: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert choose_dtype("auto", torch.device("cpu")) == (torch.bfloat16 if avx or amx else torch.float32)


def test_auto_takes_float32_on_apple_s_graphics() -> None:
    assert choose_dtype("auto", torch.device("mps")) == torch.float32


LACKS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.mark.parametrize("error", LACKS, ids=[str(error)[:30] for error in LACKS])
def test_lack_of_memory_is_known_by_what_devices_say(error: BaseException) -> None:
    assert is_out_of_memory(error)


def test_lack_of_memory_is_known_as_torch_itself_says_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**61, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes cannot be multiplied"), ValueError("out of memory"), KeyboardInterrupt(), RuntimeError()],
)
def test_other_errors_are_no_lack_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_what_a_gpu_has_left_counts_what_this_process_holds_in_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (3_000, 80_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 200)
    assert free_memory(torch.device("cuda")) == 3_300
    assert free_memory(torch.device("cpu")) == float("inf")
