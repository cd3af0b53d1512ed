"""The only threads of the viewer: a job drains an iterator of events in one."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any, Literal

from napari.qt.threading import WorkerBase, WorkerBaseSignals, create_worker
from qtpy.QtCore import Signal  # type: ignore[attr-defined]

from napari_mitostain.events import Event

atexit.register(WorkerBase.await_workers)
"""A thread must not outlive Qt. napari waits when the application quits; a script may end without that."""

Task = Callable[[], Generator[Event, None, None]]
"""Makes the iterator of a job's events; it is called, drained and closed in the thread."""

_BACKLOG = 32
"""Events that may wait for the main thread; a job that is faster waits, so memory is bounded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; `error` is there if it failed."""

    kind: Literal["done", "cancelled", "failed"]
    error: Exception | None = None


class _Signals(WorkerBaseSignals):  # type: ignore[misc]
    aborted = Signal()


class _Titled:
    """A task under the name by which napari asks whether to close its window all the same.

    napari keeps it, with the worker, until that window is closed: the task is dropped when it has run, so that the
    images it holds are not kept too.
    """

    def __init__(self, title: str, task: Task) -> None:
        self.title, self.task = title, task

    def taken(self) -> Task:
        """Hand the task over, once."""
        task = self.task
        del self.task
        return task

    def __str__(self) -> str:
        return self.title


class Job(WorkerBase):  # type: ignore[misc]
    """A task in a thread. Its events wait in its own queue, so those of an older job can never be taken for a newer's.

    superqt keeps a job until its thread has ended, whatever becomes of the widget that started it; only the end of the
    application waits for it.

    Not a `thread_worker` around a generator: a `RuntimeError` in such a generator, and a CUDA out-of-memory is one,
    emits neither `errored` nor `finished`.

    Attributes
    ----------
    left : Outcome, optional
        How the thread ended after the job was told to stop: its cleaning up may have failed.
    """

    def __init__(self, titled: _Titled) -> None:
        super().__init__(SignalsClass=_Signals)
        self._titled = titled
        self._inbox: Queue[Event | Outcome] = Queue(_BACKLOG)
        self.left: Outcome | None = None

    def work(self) -> None:
        """Drain the task until it ends, fails or is cancelled; the outcome is the last thing in the queue."""
        ended = Outcome("cancelled")
        try:
            self._drain()
            if not self.abort_requested:
                ended = Outcome("done")
            self._put(ended)
        except Exception as error:
            ended = Outcome("failed", error)
            self._put(ended)
            raise  # for napari's own list of running tasks
        finally:
            if self.abort_requested:
                self.left = ended
                self.aborted.emit()

    def _drain(self) -> None:
        task = self._titled.taken()
        if self.abort_requested:
            return
        with closing(task()) as events:
            for event in events:
                if not self._put(event):
                    return

    def _put(self, item: Event | Outcome) -> bool:
        """Wait for room in the queue; False once the job is cancelled."""
        while not self.abort_requested:
            try:
                self._inbox.put(item, timeout=0.05)
                return not self.abort_requested
            except Full:
                continue
        return False

    def waiting(self) -> list[Event | Outcome]:
        """Take what has come since the last call, without waiting."""
        items: list[Event | Outcome] = []
        try:
            while True:
                items.append(self._inbox.get_nowait())
        except Empty:
            return items


def new_job(title: str, task: Task) -> Job:
    """Make a job that napari knows of: it asks before it closes a window whose job runs, and then stops the job.

    Parameters
    ----------
    title : str
        What the job does, for people: "Staining cells".
    task : Task
    """
    job: Job = create_worker(_Titled(title, task), _worker_class=Job, _start_thread=False, _ignore_errors=True)
    return job


class Answer(WorkerBase):  # type: ignore[misc]
    """A short question, answered in a thread; `returned` brings this object back, with `content` or `error`."""

    def __init__(self, question: Callable[[], Any]) -> None:
        super().__init__()
        self._question = question
        self.content: Any = None
        self.error: Exception | None = None

    def work(self) -> Answer:
        """Ask, unless nobody wants to know any more."""
        try:
            if not self.abort_requested:
                self.content = self._question()
        except Exception as error:
            self.error = error
        return self
