"""Where the pairs of a run are, in words that a run can record and open again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from napari_mitostain.errors import SettingsError
from napari_mitostain.training.naming import stem_of

PARTS = ("brightfield", "mitochondria")
"""The folders of a folder of pairs."""


@dataclass(frozen=True, slots=True)
class PairsSpec:
    """Files of pairs, and what is taken from them.

    Attributes
    ----------
    brightfield, mitochondria : Path
        Two images, or two folders with the same file names in both; stacks count plane by plane.
    brightfield_channel, mitochondria_channel : int, optional
        Position along axis C; by default the first, and a `Finding` where there are several.
    shifts : mapping of str to tuple of int
        For each acquisition that is out of line, the rows and columns its fluorescence is moved by; what only one of
        the two then shows is cut off.
    skip_unreadable : bool
        Leave out images that cannot be read or do not fit their partner, instead of refusing to train.
    """

    brightfield: Path
    mitochondria: Path
    brightfield_channel: int | None = None
    mitochondria_channel: int | None = None
    shifts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    skip_unreadable: bool = False

    @property
    def channels(self) -> tuple[int | None, int | None]:
        """Channels of brightfield and mitochondria."""
        return self.brightfield_channel, self.mitochondria_channel

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary, which `from_dict` takes back; paths become absolute."""
        return {
            "brightfield": str(self.brightfield.resolve()),
            "mitochondria": str(self.mitochondria.resolve()),
            "brightfield_channel": self.brightfield_channel,
            "mitochondria_channel": self.mitochondria_channel,
            "shifts": {name: list(shift) for name, shift in self.shifts.items()},
            "skip_unreadable": self.skip_unreadable,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a spec from `to_dict`.

        Raises
        ------
        SettingsError
            If a value is missing, unknown, or of the wrong kind.
        """
        try:
            shifts = {str(name): (int(rows), int(columns)) for name, (rows, columns) in values["shifts"].items()}
            paths = {part: Path(values[part]) for part in PARTS}
            return cls(**{**values, **paths, "shifts": shifts})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SettingsError(
                f"Expected brightfield, mitochondria and shifts of pairs, got {dict(values)!r}; choose the pairs again."
            ) from error


def pairs_in(folder: Path, **choices: Any) -> PairsSpec:
    """Return the pairs of a folder that holds ``brightfield/`` and ``mitochondria/``.

    Parameters
    ----------
    folder : Path
    **choices
        Further attributes of `PairsSpec`.
    """
    return PairsSpec(folder / PARTS[0], folder / PARTS[1], **choices)


def source_of(spec: PairsSpec, run: Path) -> str:
    """Say where the pairs of a run came from: their folder, or for copies in the run's own, the layer they show."""
    folder = spec.brightfield.parent.resolve()
    is_copy = folder.is_relative_to(run.resolve())
    return f"layer {stem_of(spec.brightfield.name)}" if is_copy else str(folder)
