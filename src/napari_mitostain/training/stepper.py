"""Steps of a run; a CUDA GPU takes each as one graph, not as some thousand small computations that Python starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mitostain.config import TrainSettings
from napari_mitostain.model.device import is_out_of_memory, release_memory
from napari_mitostain.training.distributed import ALONE, World
from napari_mitostain.training.patches import Batch
from napari_mitostain.training.players import Players
from napari_mitostain.training.step import train_step

_FIRST = 3
"""Steps before one is recorded: in these, libraries choose algorithms and optimisers make their memory."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A step that a GPU has recorded: where it looks for its batch, and leaves its losses."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    losses: Tensor

    def taken(self, batch: Batch) -> Tensor:
        self.batch.brightfield.copy_(batch.brightfield)
        self.batch.target.copy_(batch.target)
        self.graph.replay()
        return self.losses.clone()


class Stepper:
    """Takes the steps of a run, see `train_step`.

    A GPU records steps that one process takes with full batches, each target weighed by its own pixels. What it has
    recorded keeps the memory of a step.

    Parameters
    ----------
    players : Players
    settings : TrainSettings
    dtype : torch.dtype
    world : World
    """

    def __init__(self, players: Players, settings: TrainSettings, dtype: torch.dtype, world: World = ALONE) -> None:
        self._players, self._settings, self._dtype, self._world = players, settings, dtype, world
        self._records = players.device.type == "cuda" and world.size == 1
        self._recorded: _Recorded | None = None
        self._parts, self._taken = 1, 0

    @property
    def is_recorded(self) -> bool:
        """Whether a GPU takes steps as one graph by now."""
        return self._recorded is not None

    def step(self, batch: Batch, parts: int = 1) -> Tensor:
        """Update both networks once; `batch` may be anywhere. Returns the losses (4,)."""
        if parts != self._parts:
            self.forget()
            self._parts, self._taken = parts, 0
        try:
            return self._step(batch)
        except RuntimeError as error:
            if self._recorded is None or not is_out_of_memory(error):
                raise
        self.forget()  # out here, where the error no longer holds the memory of the step that failed
        return self._step(batch)

    def forget(self) -> None:
        """Give the memory of what was recorded back; the next step is recorded anew."""
        if self._recorded is not None:
            self._recorded = None
            release_memory(self._players.device)

    def _step(self, batch: Batch) -> Tensor:
        there = batch.to(self._players.device)
        if not self._is_usual(there):
            return self._computed(there)
        if self._recorded is None and self._taken >= _FIRST:
            self._recorded = self._record(there)
        if self._recorded is not None:
            return self._recorded.taken(there)
        self._taken += 1
        return self._computed(there)

    def _is_usual(self, batch: Batch) -> bool:
        is_full = len(batch.brightfield) == self._settings.batch_size
        is_weighed_alone = batch.measured is None or self._settings.generator_loss == "l1"
        return self._records and is_full and is_weighed_alone and self._players.judged is None

    def _computed(self, batch: Batch) -> Tensor:
        return train_step(self._players, batch, self._settings, self._dtype, self._parts, self._world)

    def _record(self, batch: Batch) -> _Recorded | None:
        """Record a step without taking it; where that fails, none is recorded any more."""
        try:
            own, graph = Batch(batch.brightfield.clone(), batch.target.clone()), torch.cuda.CUDAGraph()
            # the stream is set anew because one whose recording fails stays; other threads may stain meanwhile
            here = torch.cuda.stream(torch.cuda.current_stream())
            with here, torch.cuda.graph(graph, capture_error_mode="thread_local"):
                losses = self._computed(own)
            return _Recorded(graph, own, losses)
        except RuntimeError:
            self._records, self._players.judged = False, None
            for optimizer in self._players.optimizers().values():
                optimizer.zero_grad(set_to_none=True)
        release_memory(self._players.device)
        return None
