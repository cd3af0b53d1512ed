"""Simulated cells: phantom, optics and camera, for sample data and tests."""

from napari_mitostain.simulation.pair import SimulatedPair, simulate_cell

__all__ = ["SimulatedPair", "simulate_cell"]
