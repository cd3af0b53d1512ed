"""The parts of a job that other processes do: told as data, done with a model that each process loads once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch

from napari_mitostain.config import StainSettings
from napari_mitostain.errors import DeviceError, FileError, ImageError, ModelError
from napari_mitostain.events import Event, FileDone, Notice, UnitsKept
from napari_mitostain.image import PlaneContrast, PlaneIndex, Unit
from napari_mitostain.image.files import read_stack
from napari_mitostain.model.library import BUNDLED, find_weights
from napari_mitostain.model.loading import Model, load_model
from napari_mitostain.model.predictor import Predictor
from napari_mitostain.staining.blocks import measured
from napari_mitostain.staining.files import open_image, stain_file
from napari_mitostain.staining.folder import left_out
from napari_mitostain.staining.provenance import computed_here
from napari_mitostain.staining.units import stain_units

_ONE_AT_A_TIME = threading.Lock()
"""A worker that is given several parts at once does one after the other: each takes all of its processor's threads."""


@dataclass(frozen=True, slots=True)
class Task:
    """What all parts of a job share.

    Attributes
    ----------
    model : str
        A name or a file that every process finds.
    sha256 : str
        Of the model's weights.
    settings : StainSettings
    channel : int, optional
    overwrite : bool
    computed : mapping of str to str
        The device and the precision that every process must have.
    """

    model: str
    sha256: str
    settings: StainSettings
    channel: int | None
    overwrite: bool
    computed: Mapping[str, str]

    def load_model(self) -> Model:
        """Load the model, once for each process.

        Raises
        ------
        ModelError
            If it is another one here.
        """
        model = _loaded(self.model)
        if model.sha256 != self.sha256:
            raise ModelError(
                f"Expected the same model {self.model} on all workers, got one with other weights; copy it there."
            )
        return model


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a part: its events, the names of images that could not be stained, and how planes are scaled."""

    events: tuple[Event, ...]
    failed: tuple[str, ...] = ()
    scalings: Mapping[PlaneIndex, PlaneContrast] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilesPart:
    """Files of a folder, each stained as a whole."""

    sources: tuple[Path, ...]
    folder: Path

    def run(self, task: Task, model: Model) -> Report:
        """Stain those that are not finished."""
        told, failed = list[Event](), list[str]()
        for source in self.sources:
            try:
                output = self.folder / source.name
                with closing(stain_file(source, output, model, task.settings, task.channel, task.overwrite)) as events:
                    told.extend(_worth_telling(events))
            except (ImageError, FileError) as error:
                failed.append(source.name)
                told.append(left_out(source, error))
        return Report(tuple(told), tuple(failed))


@dataclass(frozen=True, slots=True)
class UnitsPart:
    """Units of one image, whose output another process has begun and will complete."""

    source: Path
    output: Path
    first: int
    last: int
    scalings: Mapping[PlaneIndex, PlaneContrast] = field(default_factory=dict)

    def run(self, task: Task, model: Model) -> Report:
        """Stain those that are not finished."""
        image = open_image(self.source, self.output, model, task.settings, task.channel, True, task.computed)
        units = image.units[self.first : self.last]
        with image.writer.joined() as writer:
            events = stain_units(image.stack, writer, model, task.settings, image.channel, units, self.scalings)
            return Report(tuple(_worth_telling(events)))


@dataclass(frozen=True, slots=True)
class MeasurePart:
    """A plane that is stained in blocks, and first has to be measured as a whole."""

    source: Path
    unit: Unit

    def run(self, task: Task, model: Model) -> Report:
        """Measure it."""
        found, predictor = dict[PlaneIndex, PlaneContrast](), Predictor(model, task.settings)

        def measuring() -> Iterator[Event]:
            found[self.unit.plane] = yield from measured(read_stack(self.source), self.unit, predictor)

        return Report(tuple(_worth_telling(measuring())), scalings=found)


Part = FilesPart | UnitsPart | MeasurePart


def do_part(task: Task, part: Part) -> Report:
    """Do a part in this process.

    Raises
    ------
    DeviceError
        If this process would compute otherwise than the others.
    """
    with _ONE_AT_A_TIME:
        if (here := computed_here(task.settings)) != dict(task.computed):
            raise DeviceError(
                f"Expected workers that all compute on {' in '.join(task.computed.values())}, got one on "
                f"{' in '.join(here.values())}; name them with --device and --precision."
            )
        return part.run(task, task.load_model())


def portable_name(model: str | Path) -> str:
    """Return a model's name or path such that another process finds the same one."""
    weights = find_weights(model)
    return weights.stem if weights.parent == BUNDLED else str(weights.resolve())


def use_threads(count: int) -> None:
    """Compute with so many threads in this process."""
    torch.set_num_threads(count)


@lru_cache(maxsize=1)
def _loaded(name: str) -> Model:
    return load_model(name)


def _worth_telling(events: Iterable[Event]) -> Iterator[Event]:
    """Leave out what holds pixels, and what says no more than that work goes on."""
    return (event for event in events if isinstance(event, (Notice, FileDone, UnitsKept)))
