"""Cells that live: mitochondria drift, bend, divide and fuse, granules diffuse and jump, bodies and nuclei rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.config import MotionSettings
from napari_mitostain.simulation.cell import Cell
from napari_mitostain.simulation.flow import Flow, make_flow
from napari_mitostain.simulation.grid import Points
from napari_mitostain.simulation.mitochondria import divide, meet
from napari_mitostain.simulation.networks import find_networks
from napari_mitostain.simulation.organelles import STEP_UM, Beads, relaxed

_STEP_S = 2.0
"""Longest step: what is fast turns within some seconds."""

_OWN_UM = 1.5
"""Mitochondria further apart than this move independently of each other."""

_DRAG_UM = 3.0
"""A network of this length is half as fast as a fragment."""

_SIDEWAYS = 0.3
"""How far mitochondria move across their axis, relative to along it: microtubules lead them."""

_STIFFNESS_PER_S = 0.1
"""How fast a kink is straightened, so that tubes do not crumple."""


@dataclass(frozen=True)
class _Streams:
    """What drives a cell: the flow that carries all, and that which mitochondria of one place move by."""

    cytoplasm: Flow
    own: Flow


def live(
    cell: Cell, motion: MotionSettings, times: int, interval_s: float, random: np.random.Generator
) -> Iterator[Cell]:
    """Let time pass.

    Parameters
    ----------
    cell : Cell
        As it is at first.
    motion : MotionSettings
    times : int
    interval_s : float
    random : numpy.random.Generator

    Yields
    ------
    Cell
        As it is at each time, the first unchanged.
    """
    yield cell
    streams = _Streams(
        make_flow(motion.flow_um, motion.flow_um_s, motion.persistence_s, random),
        make_flow(_OWN_UM, motion.mitochondria_um_s, motion.persistence_s, random),
    )
    steps = math.ceil(interval_s / _STEP_S)
    for number in range((times - 1) * steps):
        cell = _moved(cell, streams, motion, number * interval_s / steps, interval_s / steps, random)
        if (number + 1) % steps == 0:
            yield cell


def _moved(
    cell: Cell, streams: _Streams, motion: MotionSettings, time_s: float, step_s: float, random: np.random.Generator
) -> Cell:
    """Let one step of time pass."""

    def granules(beads: Beads) -> Beads:
        return _moved_granules(beads, cell, streams, motion, time_s, step_s, random)

    return replace(
        cell,
        mitochondria=_moved_mitochondria(cell, streams, motion, time_s, step_s, random),
        vacuoles=granules(cell.vacuoles),
        vesicles=granules(cell.vesicles),
        droplets=granules(cell.droplets),
        lumps=granules(cell.lumps),
    )


def _moved_mitochondria(
    cell: Cell, streams: _Streams, motion: MotionSettings, time_s: float, step_s: float, random: np.random.Generator
) -> Beads:
    beads = divide(cell.mitochondria, motion.divisions_per_min * step_s / 60, random)
    meet(beads, motion.fusions_per_min * step_s / 60, random)
    if not beads.centres:
        return beads
    points = np.concatenate(beads.centres)
    network = find_networks(beads)  # (points,)
    own = step_s * _own_velocity(points, network, cell, streams.own, time_s)
    blocked = np.bincount(network, ~_is_free(points + own, cell)) > 0
    own[blocked[network]] = 0  # a network that meets a wall stops as a whole, or it would be torn
    steps = own + step_s * _flow(points, cell, streams, time_s)
    borders = np.cumsum([len(path) for path in beads.centres])[:-1]
    paths = [relaxed(path, min(_STIFFNESS_PER_S * step_s, 0.25)) for path in np.split(points + steps, borders)]
    settled = _kept_inside(points, np.concatenate(paths), cell)
    return Beads(np.split(settled, borders), beads.radii)


def _own_velocity(points: Points, network: NDArray[np.intp], cell: Cell, own: Flow, time_s: float) -> Points:
    """Return how each network moves as a whole, in µm/s for each of its points: mostly along the cell's axis."""
    count = np.bincount(network)
    middles = np.column_stack([np.bincount(network, points[:, axis]) / count for axis in range(3)])
    wanted = own.velocity(middles, time_s)
    heading = cell.body.heading[cell.grid.columns_at(middles)].astype(np.float64)
    along = np.column_stack([np.zeros_like(heading), np.sin(heading), np.cos(heading)])
    forward = (wanted * along).sum(axis=1, keepdims=True) * along
    led = (forward + _SIDEWAYS * (wanted - forward)) * math.sqrt(2 / (1 + _SIDEWAYS**2))
    speed = np.linalg.norm(led, axis=1, keepdims=True) / (own.speed_um_s or 1)
    few_fast = speed**2 / math.sqrt(15)  # cubed speeds of a normal distribution along a line: 〈v⁶〉 = 15
    velocity: Points = (led * few_fast / (1 + STEP_UM * count[:, None] / _DRAG_UM))[network]
    return velocity


def _moved_granules(
    beads: Beads,
    cell: Cell,
    streams: _Streams,
    motion: MotionSettings,
    time_s: float,
    step_s: float,
    random: np.random.Generator,
) -> Beads:
    """Let balls diffuse, the large ones less, and a few be carried along the cell."""
    moved = Beads()
    for points, radii in zip(beads.centres, beads.radii, strict=True):
        spread = np.sqrt(2 * motion.granules_um2_s * step_s * 0.2 / radii)
        steps = random.normal(0, 1, points.shape) * spread[:, None] + step_s * _flow(points, cell, streams, time_s)
        carried = random.random(len(points)) < motion.jumping
        way = motion.jumps_um_s * step_s * random.choice([-1, 1], len(points)) * carried
        heading = cell.body.heading[cell.grid.columns_at(points)] + random.normal(0, 0.5, len(points))
        steps += way[:, None] * np.column_stack([np.zeros(len(points)), np.sin(heading), np.cos(heading)])
        moved.add(_kept_inside(points, points + steps, cell), radii)
    return moved


def _flow(points: Points, cell: Cell, streams: _Streams, time_s: float) -> Points:
    """Return the flow of the cytoplasm in µm/s, at rest where the cell is thin and at the outline of the nucleus."""
    at = cell.grid.columns_at(points)
    room = np.minimum(np.abs(cell.body.beside_um[at]), cell.body.thickness[at]).clip(0, 1)  # µm, 1 is enough
    velocity: Points = room[:, None] * streams.cytoplasm.velocity(points, time_s)
    return velocity


def _kept_inside(before: Points, after: Points, cell: Cell) -> Points:
    """Let only those points move that stay within a cell and outside its nucleus."""
    settled: Points = np.where(_is_free(after, cell)[:, None], after, before)
    return settled


def _is_free(points: Points, cell: Cell) -> NDArray[np.bool_]:
    return cell.body.is_free(points, cell.grid)
