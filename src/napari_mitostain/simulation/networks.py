"""Which tubes hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from napari_mitostain.simulation.organelles import Beads

_TOUCH_UM = 0.25
"""An end this close to another tube's middle line, about a radius, is joined to it."""


def find_networks(beads: Beads) -> NDArray[np.intp]:
    """Find the networks of tubes that are joined, an end of one to any point of another.

    Parameters
    ----------
    beads : Beads
        At least one tube.

    Returns
    -------
    ndarray of int
        The network of each ball, in the order of the concatenated tubes.
    """
    points, tubes = np.concatenate(beads.centres), len(beads.centres)
    owner = np.repeat(np.arange(tubes), [len(path) for path in beads.centres])
    ends = np.stack([path[place] for place in (0, -1) for path in beads.centres])  # (2 tubes, 3)
    near = cKDTree(points).query_ball_point(ends, _TOUCH_UM)
    joined = owner[np.concatenate(near).astype(np.intp)]
    ending = np.repeat(np.tile(np.arange(tubes), 2), [len(found) for found in near])
    links = coo_array((np.ones(len(joined)), (ending, joined)), shape=(tubes, tubes))
    network: NDArray[np.intp] = connected_components(links, directed=False)[1].astype(np.intp)[owner]
    return network
