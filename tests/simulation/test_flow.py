from __future__ import annotations

import numpy as np
import pytest

from napari_mitostain.simulation.flow import make_flow

PLACES = np.random.default_rng(2).uniform(0, 500, (20_000, 3))


@pytest.fixture(scope="module")
def flow():
    return make_flow(3.0, 0.05, 15.0, np.random.default_rng(1))


def test_speed_is_that_asked_for_and_lies_in_the_plane(flow):
    velocity = flow.velocity(PLACES, 7.0)
    assert not velocity[:, 0].any()
    assert np.sqrt(np.square(velocity).sum(axis=1).mean()) == pytest.approx(0.05, rel=0.05)
    assert np.abs(velocity.mean(axis=0)).max() < 0.005


@pytest.mark.parametrize(("way", "later"), [(3.0, 0.0), (0.0, 15.0)])
def test_it_turns_over_its_size_and_its_persistence(flow, way, later):
    here = flow.velocity(PLACES, 0.0)
    there, far = (flow.velocity(PLACES + np.array([0, 0, n * way]), n * later) for n in (1, 6))
    likeness = [(here * other).sum() / np.square(here).sum() for other in (there, far)]
    assert likeness[0] == pytest.approx(0.6, abs=0.15)
    assert abs(likeness[1]) < 0.4


def test_it_has_no_sources(flow):
    step = 1e-4
    rows, columns = (
        (flow.velocity(PLACES + side, 0.0) - flow.velocity(PLACES - side, 0.0))[:, axis] / (2 * step)
        for axis, side in ((1, np.array([0, step, 0])), (2, np.array([0, 0, step])))
    )
    assert np.abs(rows + columns).max() < 1e-6 < np.abs(rows).max()
