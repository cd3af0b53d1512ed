"""What a run said: ``events.jsonl``, and the table of its epochs. Loads no torch."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_mitostain.events import EpochDone, Event, StartScored, finite_or_none, infinite_for_none
from napari_mitostain.image.files import atomic_write
from napari_mitostain.image.files.failures import writing

_COLUMNS = ("epoch", "fraction", "best", "model")
_GROUPS = {"losses": "training", "validation_losses": "validation", "scores": "score"}
"""What an epoch's line holds of an `EpochDone`, and how its columns begin."""


class RunLog:
    """The two files that a run's events are written to.

    Parameters
    ----------
    folder : Path
        Of the run; it is not made here.
    """

    def __init__(self, folder: Path) -> None:
        self._events, self._table = folder / "events.jsonl", folder / "epochs.csv"

    def append(self, event: Event) -> None:
        """Write an event."""
        with writing(self._events), self._events.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event.to_dict()) + "\n")
        if isinstance(event, EpochDone):
            atomic_write(self._table, epochs_table(self.read()).encode())

    def read(self) -> list[dict[str, Any]]:
        """Return all events whose lines are complete."""
        said = []
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            for line in self._events.read_bytes().split(b"\n")[:-1]:  # what follows the last line break is torn
                with suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict) and isinstance(entry.get("event"), str):
                        scores = {"scores": infinite_for_none(entry["scores"])} if "scores" in entry else {}
                        said.append(entry | scores)
        return said

    def rewind(self, epoch: int, is_scored: bool) -> None:
        """Forget the epochs from this one on, the score of the start if it is to come again, and a torn line."""
        if not self._events.is_file():
            return
        said = [entry for entry in self.read() if not _comes_again(entry, epoch, is_scored)]
        lines = (json.dumps(finite_or_none(entry)) + "\n" for entry in said)
        atomic_write(self._events, "".join(lines).encode())
        atomic_write(self._table, epochs_table(said).encode())


def _comes_again(entry: dict[str, Any], epoch: int, is_scored: bool) -> bool:
    if entry["event"] == StartScored.__name__:
        return not is_scored
    return bool(entry["event"] == EpochDone.__name__ and entry["epoch"] >= epoch)


def epochs_table(said: list[dict[str, Any]]) -> str:
    """Return losses and scores of all epochs as comma-separated values."""
    epochs = [entry for entry in said if entry["event"] == EpochDone.__name__]
    rows = [
        {name: entry[name] for name in _COLUMNS}
        | {f"{prefix}_{name}": value for group, prefix in _GROUPS.items() for name, value in entry[group].items()}
        for entry in epochs
    ]
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(_COLUMNS)
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def is_whole(path: Path) -> bool:
    """Tell whether a safetensors file is as long as its header says; its numbers are not read."""
    return _header(path) is not None


def is_beginning(path: Path) -> bool:
    """Tell whether a file is the checkpoint of a run that has not made a step."""
    with suppress(ValueError, KeyError, TypeError):
        progress = json.loads((_header(path) or {})["__metadata__"]["progress"])
        return isinstance(progress, dict) and progress.get("step") == 0
    return False


def _header(path: Path) -> dict[str, Any] | None:
    """Return the header of a safetensors file; None where it is no such file, or not a whole one."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError), path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        if 0 < length <= size:
            header: dict[str, Any] = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            return header if size == 8 + length + max(ends, default=0) else None
    return None
