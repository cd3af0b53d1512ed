"""How many processes a job gets, and what is said when one of them dies."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError, SchedulerError
from napari_mitostain.staining import crew as crew_module
from napari_mitostain.staining.crew import LocalCrew, suitable_workers
from napari_mitostain.staining.parts import FilesPart, Report, Task

TASK = Task("tiny", "hash", StainSettings(device="cpu"), None, False, {})
PARTS = [FilesPart((Path(name),), Path("out")) for name in "abc"]


class Here(Executor):
    """Answers at once, with reports or errors."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def submit(self, *_: Any) -> Future[Any]:  # type: ignore[override]
        future = Future[Any]()
        if isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return future


def test_every_part_is_reported_once() -> None:
    assert list(LocalCrew(Here(Report(()))).run(TASK, PARTS)) == [Report(())] * 3


@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (BrokenProcessPool("gone"), SchedulerError, "one that was killed.*run the same command again"),
        (DeviceError("Expected a device, got none; buy one."), DeviceError, "buy one"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ],
)
def test_what_ends_a_part_ends_the_job(raised: Exception, expected: type[Exception], words: str) -> None:
    with pytest.raises(expected, match=words):
        list(LocalCrew(Here(raised)).run(TASK, PARTS))


@pytest.mark.parametrize(
    ("gpus", "device", "size", "wanted", "expected"),
    [
        (0, "auto", 10, None, (1, 0)),
        (0, "auto", 1000, None, (6, 0)),
        (0, "cpu", 1000, 3, (3, 0)),
        (4, "auto", 10, None, (4, 4)),
        (4, "cpu", 1000, None, (6, 0)),
        (4, "cuda", 10, 2, (2, 4)),
        (0, "mps", 1000, None, (1, 0)),
    ],
)
def test_one_process_for_each_gpu_or_for_each_core_if_it_pays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    device: Any,
    size: int,
    wanted: int | None,
    expected: Any,
) -> None:
    monkeypatch.setattr(crew_module, "gpu_count", lambda: gpus)
    monkeypatch.setattr(crew_module, "cores", lambda: 6)
    monkeypatch.setattr(crew_module, "memory", lambda: 100 * 2**30)
    monkeypatch.setattr(crew_module, "_WORTH_BYTES", 100)
    (tmp_path / "a.tif").write_bytes(bytes(size))
    assert suitable_workers(tmp_path, device, wanted) == expected
    if wanted is None:
        assert suitable_workers(tmp_path / "a.tif", device) == (1, 0)


def test_no_more_processes_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "gpu_count", lambda: 0)
    monkeypatch.setattr(crew_module, "cores", lambda: 64)
    monkeypatch.setattr(crew_module, "memory", lambda: 8 * 2**30)
    monkeypatch.setattr(crew_module, "_WORTH_BYTES", 1)
    (tmp_path / "a.tif").write_bytes(b"12")
    assert suitable_workers(tmp_path) == (5, 0)  # of 1.5 GiB each
