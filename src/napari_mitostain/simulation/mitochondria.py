"""Mitochondria: tubes that branch and meet, and fragments."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from napari_mitostain.config import CellSettings
from napari_mitostain.simulation.body import Body
from napari_mitostain.simulation.grid import Grid, Points, draw_places
from napari_mitostain.simulation.organelles import STEP_UM, Beads, wandering_path

_LONGEST_UM = 14.0
_BRIDGE_UM = 1.2
"""Ends closer than this to another mitochondrion may meet it."""

_STUMP, _GAP = 5, 3
"""Least length of what a division leaves, and half of what it takes, in steps: light shows the gap."""


def grow_mitochondria(body: Body, grid: Grid, settings: CellSettings, random: np.random.Generator) -> Beads:
    """Grow curved tubes, some branched and fused, and fragments: densest around the nucleus, along the cell.

    Parameters
    ----------
    body : Body
    grid : Grid
    settings : CellSettings
    random : numpy.random.Generator
    """
    beads = Beads()
    count = round(settings.mitochondria * body.area_um2(grid))
    places = draw_places(body.density(settings.gathering_um, 0.12), grid, count, random)
    for start in body.within(places, grid, random):
        if random.random() < settings.fragmented:
            length, radius = random.uniform(0.1, 1.1), random.uniform(*settings.fragment_radius_um)
        else:
            length = min(settings.tube_um * random.lognormal(0, 0.6), _LONGEST_UM)
            radius = random.uniform(*settings.tube_radius_um)
        along = body.heading[grid.columns_at(start[None])][0] + random.normal(0, 0.7)
        _add_tube(beads, start, along, length, radius, body, grid, random)
        if length > 1.5 and random.random() < settings.branching:
            fork = beads.centres[-1][random.integers(len(beads.centres[-1]))]
            turned = along + random.choice([-1, 1]) * random.uniform(0.6, 1.5)
            _add_tube(beads, fork, turned, random.uniform(0.3, 0.7) * length, radius, body, grid, random)
    meet(beads, settings.fusion, random)
    return beads


def _add_tube(
    beads: Beads,
    start: Points,
    heading: float,
    length_um: float,
    radius: float,
    body: Body,
    grid: Grid,
    random: np.random.Generator,
) -> None:
    """Add a tube, cut off where it would leave the cell or enter the nucleus, of a slightly uneven radius."""
    path = wandering_path(start, heading, length_um, random)
    free = body.is_free(path, grid)
    path = path[: max(1, np.argmin(free))] if not free.all() else path
    uneven = np.cumsum(random.normal(0, 0.02, len(path)))
    beads.add(path, radius * (1 + (uneven - uneven.mean()).clip(-0.2, 0.2)))


def meet(beads: Beads, part: float, random: np.random.Generator) -> None:
    """Bridge the gap between the ends of a part of the tubes and the mitochondrion that is nearest."""
    if len(beads.centres) < 2:
        return
    points = np.concatenate(beads.centres)
    owner = np.repeat(np.arange(len(beads.centres)), [len(path) for path in beads.centres])
    tree = cKDTree(points)
    for number in np.flatnonzero(random.random(len(beads.centres)) < part):
        path = beads.centres[number]
        near = np.array(tree.query_ball_point(path[-1], _BRIDGE_UM), int)
        others = near[owner[near] != number]
        if len(path) > 8 and len(others):
            reached = points[others[np.argmin(np.linalg.norm(points[others] - path[-1], axis=1))]]
            steps = 1 + round(float(np.linalg.norm(reached - path[-1])) / STEP_UM)
            beads.add(path[-1] + np.linspace(0, 1, steps + 1)[1:, None] * (reached - path[-1]), beads.radii[number][-1])


def divide(beads: Beads, part: float, random: np.random.Generator) -> Beads:
    """Cut a part of the tubes that are long enough in two, anywhere; the others stay as they are."""
    divided = Beads()
    for path, radii in zip(beads.centres, beads.radii, strict=True):
        if random.random() < part and len(path) > 2 * (_STUMP + _GAP):
            at = random.integers(_STUMP + _GAP, len(path) - _STUMP - _GAP + 1)
            for rest in (slice(at - _GAP), slice(at + _GAP, None)):
                divided.add(path[rest], radii[rest])
        else:
            divided.add(path, radii)
    return divided
