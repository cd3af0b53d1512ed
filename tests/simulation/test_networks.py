from __future__ import annotations

import numpy as np

from napari_mitostain.simulation.networks import find_networks
from napari_mitostain.simulation.organelles import Beads


def line(start: tuple[float, float], along: tuple[float, float], steps: int = 10) -> np.ndarray:
    return np.array([[1.0, *start]]) + 0.1 * np.arange(steps)[:, None] * [0, *along]


def test_an_end_on_another_tube_joins_and_a_crossing_does_not():
    trunk, branch = line((0, 0), (0, 1), 20), line((0, 0.5), (1, 0))
    crossing, alone = line((-0.5, 1.2), (1, 0)), line((5, 5), (0, 1), 1)
    network = find_networks(Beads([trunk, branch, crossing, alone], []))
    found = [set(part) for part in np.split(network, [20, 30, 40])]
    assert found[0] == found[1]
    assert [len(part) for part in found] == [1, 1, 1, 1]
    assert len(set(network)) == 3
