"""The workers of a dask cluster, as a crew."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import MitostainError, SchedulerError
from napari_mitostain.events import Event, Notice, PartDone
from napari_mitostain.staining.crew import BEAT_SECONDS, Crew
from napari_mitostain.staining.parts import Part, Report, Task, do_part, use_threads
from napari_mitostain.staining.provenance import computed_here

_CONNECT_SECONDS = 5


def _do_part_on_worker(task: Task, part: Part) -> Report:
    """Do a part with all threads of a worker: it does one at a time."""
    from distributed import get_worker

    use_threads(get_worker().state.nthreads)  # counts for this thread of Python only
    return do_part(task, part)


class ClusterCrew(Crew):
    """The workers of a dask.distributed scheduler."""

    do_part = staticmethod(_do_part_on_worker)

    def __init__(self, client: Any) -> None:
        super().__init__(client.get_executor(pure=False))
        self._client = client

    def ready(self, settings: StainSettings) -> Generator[Event, None, dict[str, str]]:
        """Wait until a worker has joined; all that have must compute alike."""
        is_told = False
        while not self._client.scheduler_info()["workers"]:
            if not is_told:
                yield Notice(message="No worker has joined the scheduler yet; the work begins when one does.")
                is_told = True
            time.sleep(BEAT_SECONDS)
            yield PartDone(fraction=0)
        try:
            found = self._client.run(computed_here, settings)
        except MitostainError:
            raise
        except Exception as error:
            raise self.failure(error) from error
        kinds = {tuple(sorted(each.items())) for each in found.values()}
        if len(kinds) > 1:
            told = " and ".join(" in ".join(dict(kind).values()) for kind in sorted(kinds))
            raise SchedulerError(
                f"Expected workers that all compute alike, got some on {told}; name one with --device and --precision."
            )
        return dict(kinds.pop())

    def failure(self, error: Exception) -> Exception:
        """Say what the workers, or the connection to them, failed with."""
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        return SchedulerError(
            f"Expected workers that do their part, got {type(error).__name__} ({reason}); look into their logs and run "
            "the same command again, it goes on."
        )


@contextmanager
def cluster_crew(address: str) -> Iterator[Crew]:
    """Use the workers of a dask.distributed scheduler.

    Parameters
    ----------
    address : str
        Such as "tcp://10.0.0.1:8786", or the scheduler's ``--scheduler-file``.

    Raises
    ------
    SchedulerError
        If distributed is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SchedulerError(
            "Expected the package distributed, which talks to a scheduler, got none; install it with pip install "
            '"napari-mitostain[cluster]".'
        ) from error
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client: Any = Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".;") or type(error).__name__
        raise SchedulerError(
            f"Expected a dask scheduler at {address}, got no answer ({reason}); start one with dask scheduler, "
            "or check the address."
        ) from error
    with client:
        yield ClusterCrew(client)
