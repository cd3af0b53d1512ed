"""Simulated cells: phantom, optics and camera, for training, sample data and tests."""

from napari_mitostain.simulation.pair import SimulatedPair, simulate_cell, simulate_pair

__all__ = ["SimulatedPair", "simulate_cell", "simulate_pair"]
