"""Processes that do the parts of a job: of this machine, or the workers of a dask cluster.

The only place of the core that starts processes, beside `prefetching`, which starts a thread.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from napari_mitostain.config import Device, StainSettings
from napari_mitostain.errors import MitostainError, SchedulerError
from napari_mitostain.events import Event, PartDone
from napari_mitostain.image.files import is_image_folder
from napari_mitostain.model.device import gpu_count
from napari_mitostain.staining.parts import Part, Report, Task, do_part, use_threads
from napari_mitostain.staining.provenance import computed_here

BEAT_SECONDS = 0.5
"""How often a job that waits says that it does, so that it can be stopped."""

_IN_FLIGHT = 256
"""Parts handed out at a time, at least: a folder of a million images is not sent to the scheduler at once."""

_WORTH_BYTES = 2**26
"""Of a folder, from which on several processes pay: each of them takes some seconds to begin."""

_PROCESS_BYTES = 3 * 2**29
"""That a process may need."""


class Crew(ABC):
    """Processes that do parts."""

    do_part = staticmethod(do_part)
    """What a process is asked to do."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @abstractmethod
    def ready(self, settings: StainSettings) -> Generator[Event, None, dict[str, str]]:
        """Wait for a process, and return the device and precision that all of them compute with."""

    @abstractmethod
    def failure(self, error: Exception) -> Exception:
        """Return the error to raise for one that is no `MitostainError`."""

    def run(self, task: Task, parts: Sequence[Part]) -> Iterator[Report | None]:
        """Do parts, in any order; yields a report for each, and None while there is none.

        Closing the iterator takes back the parts that no process is at.

        Raises
        ------
        MitostainError
            What a part raises, or that the processes fail.
        """
        left, waiting = iter(parts), set[Future[Report]]()
        try:
            while True:
                room = _IN_FLIGHT - len(waiting)
                waiting |= {self._executor.submit(self.do_part, task, part) for part in islice(left, room)}
                if not waiting:
                    return
                done, waiting = wait(waiting, BEAT_SECONDS, FIRST_COMPLETED)
                if not done:
                    yield None
                for future in done:
                    yield future.result()
        except MitostainError:
            raise
        except Exception as error:
            if (failure := self.failure(error)) is error:
                raise
            raise failure from error
        finally:
            for future in waiting:
                future.cancel()


class LocalCrew(Crew):
    """Processes of this machine."""

    def ready(self, settings: StainSettings) -> Generator[Event, None, dict[str, str]]:
        """Return what this process computes with, as all others do."""
        yield PartDone(fraction=0)
        return computed_here(settings)

    def failure(self, error: Exception) -> Exception:
        """Say that a process was killed; anything else is a bug."""
        if not isinstance(error, BrokenProcessPool):
            return error
        return SchedulerError(
            "Expected all processes to live, got one that was killed, maybe for its memory; run the same command again "
            "with fewer --workers, it goes on."
        )


@contextmanager
def local_crew(workers: int, gpus: int = 0) -> Iterator[Crew]:
    """Start processes on this machine; they end with the context, and with this process, however it ends.

    Parameters
    ----------
    workers : int
    gpus : int
        Each process has one of so many; without any, they share the processor's cores.
    """
    context, others = get_context("spawn"), set(active_children())
    threads = max(1, cores() // workers)
    executor = ProcessPoolExecutor(workers, context, _begin, (context.Value("i", 0), gpus, threads))
    try:
        yield LocalCrew(executor)
    finally:
        for child in set(active_children()) - others:
            child.kill()  # outputs are written so that it does no harm
        executor.shutdown(cancel_futures=True)


def suitable_workers(source: Path, device: Device = "auto", wanted: int | None = None) -> tuple[int, int]:
    """Choose how many processes stain a file or folder on this machine.

    One for each GPU if there are several files or planes; without a GPU one for each core, as far as memory goes, if a
    folder holds so much that it pays; else one, whose network computes with all cores.

    Parameters
    ----------
    source : Path
    device : {"auto", "cpu", "cuda", "mps"}
    wanted : int, optional
        What the user has chosen.

    Returns
    -------
    workers : int
    gpus : int
        How many GPUs they share; 0 if they use none.
    """
    gpus = gpu_count() if device in ("auto", "cuda") else 0
    if wanted is not None:
        return wanted, gpus
    is_folder = is_image_folder(source)
    if gpus:
        return (gpus, gpus) if is_folder or source.suffix.lower() == ".zarr" else (1, 0)
    if device == "mps" or not is_folder:
        return 1, 0
    size = sum(path.stat().st_size for path in source.iterdir() if path.is_file())
    return (max(1, min(cores(), memory() // _PROCESS_BYTES)) if size >= _WORTH_BYTES else 1), 0


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Return the bytes of this machine's memory, or a number beyond all need where it does not tell."""
    if not hasattr(os, "sysconf"):
        return 2**62
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _begin(counter: Any, gpus: int, threads: int) -> None:
    """Make a process ready: its GPU, its threads, and an end when its parent's has come."""
    with counter.get_lock():
        number = counter.value
        counter.value += 1
    if gpus:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % gpus]
    use_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
