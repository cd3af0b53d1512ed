"""Smooth random flows in the plane, which turn over a distance and over a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mitostain.simulation.grid import Points

_WAVES = 48


@dataclass(frozen=True)
class Flow:
    """A sum of plane waves that run: smooth in space and time, without sources.

    Attributes
    ----------
    speed_um_s : float
        Root mean square.
    waves : ndarray of float64
        Wave vectors (waves, 2) along rows and columns, in radians per µm.
    turns : ndarray of float64
        Their angular frequencies (waves,) in radians per second.
    phases : ndarray of float64
        (waves,).
    """

    speed_um_s: float
    waves: NDArray[np.float64]
    turns: NDArray[np.float64]
    phases: NDArray[np.float64]

    def velocity(self, points: Points, time_s: float) -> Points:
        """Return the velocity (points, 3) in µm/s; none along the height."""
        swing = np.cos(points[:, 1:] @ self.waves.T - self.turns * time_s + self.phases)  # (points, waves)
        across = self.waves[:, ::-1] * [1, -1] / np.linalg.norm(self.waves, axis=1, keepdims=True)
        flow = self.speed_um_s * np.sqrt(2 / len(self.waves)) * (swing @ across)
        return np.column_stack([np.zeros(len(points)), flow])


def make_flow(size_um: float, speed_um_s: float, persistence_s: float, random: np.random.Generator) -> Flow:
    """Draw a flow.

    Parameters
    ----------
    size_um : float
        Distance over which it turns: that at which correlations of a Gaussian kind fall to 0.6.
    speed_um_s : float
        Root mean square.
    persistence_s : float
        Time over which it turns, likewise.
    random : numpy.random.Generator
    """
    return Flow(
        speed_um_s,
        random.normal(0, 1 / size_um, (_WAVES, 2)),
        random.normal(0, 1 / persistence_s, _WAVES),
        random.uniform(0, 2 * np.pi, _WAVES),
    )
